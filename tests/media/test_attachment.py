"""What is attached to a video is found again, and the video stays what it was."""

import av
import pytest

from aucli.media.attachment import attach, attached
from aucli.media.truncation import missing_bytes
from tests.clips import numbered_frames, packets, write_clip

VALUES = {"key": "0123", "notes": ["Größe 😀"], "frames": 20, "reason": None}
CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}


@pytest.fixture(params=CONTAINERS)
def clip(request, tmp_path):
    return write_clip(tmp_path / f"clip{request.param}", numbered_frames(20), audio=True)


def attach_to(path, values):
    with path.open("r+b") as file:
        attach(file, CONTAINERS[path.suffix], values)


def test_it_is_found_again_and_the_video_is_the_same(clip):
    before = packets(clip), packets(clip, "audio")
    assert attached(clip) is None
    attach_to(clip, VALUES)
    assert attached(clip) == VALUES
    assert (packets(clip), packets(clip, "audio")) == before
    assert missing_bytes(clip) == 0
    with av.open(str(clip)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20


def test_a_file_that_was_cut_off_has_lost_it(clip):
    attach_to(clip, VALUES)
    whole = clip.read_bytes()
    for lost in (1, 30, 2000):
        clip.write_bytes(whole[:-lost])
        assert attached(clip) is None


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 1000])
def test_other_files_have_nothing(tmp_path, content):
    (tmp_path / "x.mp4").write_bytes(content)
    assert attached(tmp_path / "x.mp4") is None
    assert attached(tmp_path / "missing.mp4") is None


def test_a_damaged_one_is_none(clip):
    attach_to(clip, VALUES)
    whole = bytearray(clip.read_bytes())
    whole[-25] ^= 0xFF  # in the text
    clip.write_bytes(whole)
    assert attached(clip) is None
    whole[-20:-16] = (2**32 - 1).to_bytes(4, "big")  # its length
    clip.write_bytes(whole)
    assert attached(clip) is None
