"""torchcodec beside PyAV, on the CPU, where it runs by the same code: equal times, equal pictures."""

from importlib.util import find_spec

import pytest

from tests.media.beside_pyav import beside_pyav
from tests.media.odd_clips import COUNT, write_all

pytestmark = pytest.mark.skipif(find_spec("torchcodec") is None, reason="torchcodec is not installed")

# Largest and mean difference in levels where it is not 0: measured 2 and 0.003 for 10 bits. libswscale has
# ways of its own for odd sizes (73, 1.7); of pixels that are not square it scales luma and chroma (70, 1.2).
TOLERANCES = {
    "ten_bit_hevc_mkv": (3, 0.02),
    "ten_bits": (3, 0.02),
    "bt2020": (3, 0.02),
    "odd_size_mkv": (90, 2),
    "wide_pixels_mp4": (90, 1.5),
    "narrow_pixels_mp4": (90, 1.5),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("clips"))


def test_every_clip_as_pyav_reads_it(clips):
    found = beside_pyav("torchcodec", "cpu", clips.values())
    for name, path in clips.items():
        one = found[path.name]
        assert one["frames"][0] == one["frames"][1] > 0, (name, one)
        assert one["times_equal"], (name, one)
        assert one["selection_equal"], (name, one)
        assert one["sizes_equal"], (name, one)
        assert one["contiguous"], (name, one)
        largest, mean = TOLERANCES.get(name, (0, 0.0))
        assert one["largest"] <= largest, (name, one)
        assert one["mean"] <= mean, (name, one)
        # In an MPG it cannot tell a time that is not there from one that is wrong, and repairs a frame's.
        # The frame after a hole, which leans on one that was lost, it does not mark as damaged.
        if name not in ("mpeg2_mpg", "hole"):
            assert one["summaries"][0] == one["summaries"][1], (name, one)
    assert found[clips["cfr_mp4"].name]["frames"][0] == COUNT
    assert found[clips["edit_list"].name]["frames"][0] == 27
    assert "the file is cut off" in str(found[clips["cut"].name]["summaries"][0])
