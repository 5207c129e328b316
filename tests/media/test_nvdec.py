"""What NVDEC can do, as far as that is known without one: the question, and what is made of the answer."""

import ctypes

import pytest
import torch

from aucli.datatypes import Source
from aucli.errors import DecoderUnavailableError
from aucli.media import probe
from aucli.media.decode import nvdec
from aucli.media.decode.nvdec import Limits, decodable, engines, kind_of, limits_of, refusal
from tests.clips import RECIPES


@pytest.mark.parametrize(
    ("pixel_format", "kind"),
    [
        ("yuv420p", (1, 8)),
        ("yuvj420p", (1, 8)),
        ("nv12", (1, 8)),
        ("yuv420p10le", (1, 10)),
        ("p010le", (1, 10)),
        ("yuva420p", (1, 8)),
        ("yuv422p", (2, 8)),
        ("yuv422p10le", (2, 10)),
        ("yuv444p", (3, 8)),
        ("yuv444p12le", (3, 12)),
        ("gray", (0, 8)),
        ("gray10le", (0, 10)),
        ("rgb24", None),
        ("gbrp", None),
        ("pal8", None),
        ("yuv410p", None),
        ("unknown", None),
    ],
)
def test_kinds_of_pixels(pixel_format, kind):
    assert kind_of(pixel_format) == kind


def test_the_question_has_the_size_that_the_driver_expects():
    # CUVIDDECODECAPS in NVIDIA's cuviddec.h, all of it naturally aligned.
    assert ctypes.sizeof(nvdec._Caps) == 88
    assert (nvdec._Caps.is_supported.offset, nvdec._Caps.max_width.offset) == (24, 28)
    assert (nvdec._Caps.min_width.offset, nvdec._Caps.reserved_3.offset) == (40, 48)


def of_hopper(codec, chroma, bits, _device):
    """NVIDIA's table of capabilities for the H100 (NVDEC application note), for some kinds."""
    sizes = {
        ("h264", 1, 8): (4096, 4096, 65536),
        ("hevc", 1, 8): (8192, 8192, 262144),
        ("hevc", 1, 10): (8192, 8192, 262144),
        ("vp9", 1, 8): (8192, 8192, 262144),
    }
    size = sizes.get((codec, chroma, bits))
    return None if size is None else Limits(7, 48, 16, *size)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cfr_mp4", None),
        ("rotated_90_mp4", None),
        ("vp9_webm", None),
        ("ten_bit_hevc_mkv", None),
        ("av1_mkv", "does not do av1 4:2:0 of 8 bits"),
        ("full_range_444_mp4", "does not do h264 4:4:4 of 8 bits"),
        ("odd_size_mkv", "NVDEC does not decode ffv1 in yuv420p"),
        ("mjpeg_avi", "NVDEC does not decode mjpeg"),
    ],
)
def test_why_a_chip_cannot(tmp_path, monkeypatch, name, reason):
    monkeypatch.setattr(nvdec, "limits_of", of_hopper)
    path = RECIPES[name].write_numbered(tmp_path / name, 2)
    found = refusal(probe(Source(path, name)), "cuda:0")
    assert found is None if reason is None else reason in found


def test_sizes_that_a_chip_cannot(tmp_path, monkeypatch):
    described = probe(Source(RECIPES["cfr_mp4"].write_numbered(tmp_path / "a", 2), "a"))
    for limits, reason in (
        (Limits(1, 48, 48, 4096, 4096, 90), "192 x 128 is too large"),  # 96 blocks of 16 x 16
        (Limits(1, 48, 48, 4096, 4096, 96), None),
        (Limits(1, 48, 48, 160, 160, 65536), "192 x 128 is too large"),
        (Limits(1, 256, 256, 4096, 4096, 65536), "192 x 128 is too small"),
    ):
        monkeypatch.setattr(nvdec, "limits_of", lambda *_, limits=limits: limits)
        found = refusal(described, "cuda:0")
        assert found is None if reason is None else found.startswith(reason)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_the_driver_cannot_be_asked():
    with pytest.raises(DecoderUnavailableError):
        limits_of("h264", 1, 8, "cuda:0")
    assert engines("cuda:0") == 0


@pytest.mark.gpu
def test_a_gpu_tells_what_it_decodes():
    found = decodable("cuda:0")
    assert found["h264 4:2:0 8 bit"] >= 1
    limits = limits_of("h264", 1, 8, "cuda:0")
    assert engines("cuda:0") == limits.engines
    assert limits.max_width >= 4096
    assert limits.min_width < 200
