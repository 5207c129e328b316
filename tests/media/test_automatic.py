"""`--decoder auto` on a GPU: what happens where its decoder cannot, at the start, later, or at damage."""

import pytest
import torch

from aucli.datatypes import Selection, Source
from aucli.errors import DecoderUnavailableError, MediaError
from aucli.media.decode import check_decoder, decoders_tried, open_decoder
from aucli.media.decode.automatic import AutomaticDecoder
from aucli.media.decode.pyav import PyavDecoder
from aucli.media.decode.refused import refused
from tests.clips import numbered_frames, read_number, truncate, write_clip

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")


class GivesUp(PyavDecoder):
    """Reads like the CPU's, up to frame 7, where pixels are made: what a GPU does that runs out of memory."""

    name = "gives-up"
    closed = 0

    def _pixels(self, picture):
        if self._frames_decoded > 7:
            raise refused(self._path, self.name, "out of memory")
        return super()._pixels(picture)

    def close(self):
        super().close()
        type(self).closed += 1


class Reads(PyavDecoder):
    name = "reads"


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", numbered_frames(30))


def automatic(path, *kinds, **selection):
    source = Source(path, path.name)
    return AutomaticDecoder(path, [lambda kind=kind: kind(source, Selection(**selection)) for kind in kinds])


def numbers(decoder):
    return [read_number(frame.pixels) for frame in decoder.frames()]


def test_a_decoder_that_does_the_file_is_not_spoken_of(clip):
    with automatic(clip, Reads, PyavDecoder) as decoder:
        assert numbers(decoder) == list(range(30))
        assert decoder.summary.decoder == decoder.name == "reads"
        assert decoder.summary.notes == ()


def test_the_cpu_goes_on_where_the_gpu_gave_up(clip):
    GivesUp.closed = 0
    with automatic(clip, GivesUp, Reads, PyavDecoder) as decoder:
        assert numbers(decoder) == list(range(30))
        assert GivesUp.closed == 1
        assert decoder.summary.decoder == "pyav", "another decoder of the same GPU is not tried again"
        assert decoder.summary.notes == ("decoded on the CPU: not with gives-up: out of memory",)
    with automatic(clip, GivesUp, PyavDecoder, every=3) as decoder:
        assert numbers(decoder) == list(range(0, 30, 3))


def test_what_is_cut_off_is_told_by_the_cpu(tmp_path):
    first = {"movflags": "faststart"}
    path = truncate(write_clip(tmp_path / "cut.mp4", numbered_frames(40), container_options=first), 0.7)
    with PyavDecoder(Source(path, "cut"), Selection()) as alone:
        expected = numbers(alone)
    with automatic(path, Reads, PyavDecoder) as decoder:
        assert numbers(decoder) == expected
        assert decoder.summary.decoder == "pyav"
        assert decoder.summary.problem == alone.summary.problem
        assert decoder.summary.notes[0].startswith("decoded on the CPU: reads met damage: ")


def test_a_file_that_is_no_video_fails_as_it_does_on_the_cpu(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("the quick brown fox\n" * 50)
    with pytest.raises(MediaError, match="is a text file, not a video"):
        open_decoder(Source(path, "text.mp4"), device="cuda:0")


@no_gpu
def test_without_a_gpu_every_file_falls_back_with_the_reason(clip):
    with open_decoder(Source(clip, "clip"), device="cuda:0") as decoder:
        assert numbers(decoder) == list(range(30))
        summary = decoder.summary
    assert summary.decoder == "pyav"
    (note,) = summary.notes
    assert note.startswith("decoded on the CPU: ")
    assert "not with pyav-cuda: " in note
    assert str(clip) not in note
    assert "take --decoder" not in note


@no_gpu
def test_a_decoder_that_was_named_says_why_it_cannot(clip):
    with pytest.raises(DecoderUnavailableError, match=r"not with pyav-cuda: .*; take --decoder auto"):
        open_decoder(Source(clip, "clip"), decoder="pyav-cuda", device="cuda:0")


@pytest.mark.parametrize("decoder", ["torchcodec", "pyav-cuda"])
def test_on_the_cpu_the_decoders_of_a_gpu_are_refused_before_any_file(decoder, tmp_path):
    with pytest.raises(DecoderUnavailableError, match=r"needs an NVIDIA GPU.*--decoder auto.*--device cuda"):
        check_decoder(decoder, "cpu")


def test_what_is_tried_is_known_beforehand():
    assert decoders_tried("auto", "cpu") == ("pyav",)
    assert decoders_tried("auto", "cuda:0")[-2:] == ("pyav-cuda", "pyav")
    assert decoders_tried("decord", "cuda:0") == ("decord",)
