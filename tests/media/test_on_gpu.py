"""The decoders of the GPU on a GPU: whatever they do not refuse, they read as PyAV does on the CPU."""

from importlib.util import find_spec

import pytest
import torch

from aucli.datatypes import Source
from aucli.media.decode import GPU_DECODERS, open_decoder
from tests.clips import RECIPES, read_number
from tests.media.beside_pyav import beside_pyav
from tests.media.odd_clips import write_all

pytestmark = pytest.mark.gpu

# What every GPU since Pascal decodes, and both decoders must: not refused.
MUST = (
    "cfr_mp4",
    "bframes_vfr_mkv",
    "late_start_mkv",
    "rotated_90_mp4",
    "mirrored_mp4",
    "mpeg_ts",
    "h264_avi",
)
DAMAGED = ("cut", "hole")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("clips"))


@pytest.mark.parametrize("decoder", GPU_DECODERS)
def test_every_clip_is_read_as_on_the_cpu_or_refused(clips, decoder):
    if decoder == "torchcodec" and find_spec("torchcodec") is None:
        pytest.skip("torchcodec is not installed")
    found = beside_pyav(decoder, "cuda:0", clips.values())
    for name, path in clips.items():
        one = found[path.name]
        if isinstance(one["summaries"][0], str):
            assert one["summaries"][0].startswith("DecoderUnavailableError"), (name, one)
            assert name not in MUST, (name, one)
            continue
        assert one["devices"] == ["cuda"], (name, one)
        if name in DAMAGED:
            continue  # hardware hides damage in its own way
        assert one["times_equal"], (name, one)
        assert one["selection_equal"], (name, one)
        assert one["sizes_equal"], (name, one)
        assert one["contiguous"], (name, one)
        # MPEG-4 leaves the inverse DCT to the decoder; pixels that are not square are scaled on the GPU.
        assert one["mean"] <= 2.0, (name, one)
        if name in ("cfr_mp4", "vp9_webm", "rotated_90_mp4", "full_range", "bt709"):
            assert one["largest"] <= 1, (name, one)


def test_auto_reads_everything_and_says_what_the_gpu_could_not(clips):
    found = beside_pyav("auto", "cuda:0", clips.values())
    for name, path in clips.items():
        one = found[path.name]
        assert one["times_equal"], (name, one)
        assert one["sizes_equal"], (name, one)
        fell_back = any("decoded on the CPU" in str(told) for told in one["summaries"][0])
        assert fell_back == (one["devices"] == ["cpu"]) or name in DAMAGED, (name, one)


def test_frames_keep_their_pixels_after_later_ones_and_after_closing(clips):
    source = Source(clips["bframes_mp4"], "bframes_mp4")
    with open_decoder(source, decoder="pyav-cuda", device="cuda:0") as opened:
        frames = list(opened.frames())
    assert all(frame.pixels.is_cuda for frame in frames)
    colour = RECIPES["bframes_mp4"].colour
    numbers = [read_number(frame.pixels.cpu(), colour=colour) for frame in reversed(frames)]
    assert numbers == list(reversed(range(len(frames))))
    torch.cuda.synchronize()
