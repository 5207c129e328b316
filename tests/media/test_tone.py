import numpy as np
import pytest

from aucli.datatypes import Source
from aucli.media import probe
from aucli.media.decode import open_decoder
from aucli.media.tone import tone_for
from tests.clips import RECIPES, numbered_frames, write_clip

PQ = {"x265-params": "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"}
HLG = {"x265-params": "log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"}


@pytest.mark.parametrize(("options", "transfer"), [(PQ, "pq"), (HLG, "hlg")])
def test_hdr_is_recognised(tmp_path, options, transfer):
    clip = write_clip(
        tmp_path / "a.mkv", numbered_frames(3), codec="libx265", pix_fmt="yuv420p10le", codec_options=options
    )
    source = Source(clip, "a.mkv")
    assert probe(source).transfer == transfer
    with open_decoder(source) as decoder:
        pixels = next(decoder.frames()).pixels.numpy()
    made = tone_for(transfer)(pixels)
    assert (made.shape, made.dtype) == (pixels.shape, np.uint8)


def test_usual_video_is_left_alone(tmp_path):
    clip = RECIPES["ten_bit_hevc_mkv"].write_numbered(tmp_path / "a", 3)
    assert probe(Source(clip, "a")).transfer is None
    assert tone_for(None) is None


def pq(nits):
    """The coded value of a brightness, 0 to 255: the inverse EOTF as SMPTE ST 2084 writes it."""
    y = (nits / 10_000) ** (2610 / 16384)
    c2, c3 = 2413 / 128, 2392 / 128
    return round(255 * ((c3 - c2 + 1 + c2 * y) / (1 + c3 * y)) ** (2523 / 32))


def test_a_pq_picture_gets_the_brightness_of_a_usual_one():
    grays = np.repeat(np.array([[pq(n) for n in (0, 20, 203, 1000, 4000)]], np.uint8)[:, :, None], 3, axis=2)
    black, dark, white, bright, glare = (int(value) for value in tone_for("pq")(grays)[0, :, 1])
    assert black <= 2
    assert dark < 110
    assert 175 < white < 215  # diffuse white stays clearly below the highlights
    assert bright >= 250
    assert glare == 255
    # As it was coded, diffuse white is a middle gray.
    assert int(grays[0, 2, 0]) < 150


def test_colours_move_from_the_wide_to_the_usual_primaries_and_grays_do_not():
    gray = np.full((1, 1, 3), 120, np.uint8)
    assert np.abs(tone_for("hlg")(gray).astype(int) - 120).max() <= 1
    red = tone_for("hlg")(np.array([[[150, 90, 80]]], np.uint8))[0, 0].astype(int)
    assert red[0] - red[1] > 150 - 90
