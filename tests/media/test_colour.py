"""YUV to RGB against libswscale, which the CPU decoder uses."""

import platform

import av
import numpy as np
import pytest
import torch
from av.video.format import VideoFormat
from av.video.reformatter import VideoReformatter

from aucli.media.decode.colour import yuv_to_rgb
from aucli.media.decode.pyav_cuda import picture_to_rgb
from aucli.media.decode.surface import displayed
from aucli.media.display import Orientation
from tests.gpu import on_each_device

# AVColorSpace: BT.709, untagged, BT.601 (625 and 525 lines), BT.2020, FCC, SMPTE 240M.
MATRICES = (1, 2, 5, 6, 9, 4, 7)
LIMITED, FULL = 1, 2


def noise(pixel_format, width, height, *, full_range, seed=0):
    """Y, U, V of all legal levels; 4:2:0 has no two chroma samples alike."""
    random = np.random.default_rng(seed)
    form = VideoFormat(pixel_format, width, height)
    bits = form.components[0].bits
    unit, dtype = 2 ** (bits - 8), np.uint8 if bits == 8 else np.uint16
    luma, chroma = (
        ((0, 2**bits), (0, 2**bits)) if full_range else ((16 * unit, 236 * unit), (16 * unit, 241 * unit))
    )
    return [
        random.integers(*levels, (part.height, part.width)).astype(dtype)
        for part, levels in zip(form.components, (luma, chroma, chroma), strict=True)
    ]


def frame_of(pixel_format, planes, matrix, colour_range):
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        row = np.ascontiguousarray(values).reshape(len(values), -1).view(np.uint8)
        padded = np.zeros((len(values), plane.line_size), np.uint8)
        padded[:, : row.shape[1]] = row
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = matrix, colour_range
    return frame


def by_libswscale(frame, width=None):
    """As `PyavDecoder` asks for it."""
    return (
        VideoReformatter()
        .reformat(frame, width=width or frame.width, height=frame.height, format="rgb24")
        .to_ndarray()
    )


def difference(ours, theirs):
    """Largest and mean difference in levels."""
    levels = np.abs(ours.cpu().numpy().astype(int) - theirs)
    return int(levels.max()), float(levels.mean())


@pytest.mark.parametrize("device", on_each_device())
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(
    ("pixel_format", "largest", "mean"),
    [
        # Measured: 0 and 0 on x86-64; FFmpeg's code for other processors rounds in its own way.
        ("yuv420p", *((0, 0.0) if platform.machine() == "x86_64" else (3, 1.0))),
        ("yuv422p", *((0, 0.0) if platform.machine() == "x86_64" else (3, 1.0))),
        # Measured: 1 and 0.012.
        ("yuv444p", 1, 0.02),
        ("yuv444p10le", 1, 0.02),
        ("yuv420p10le", 3, 0.02),
    ],
)
def test_every_matrix_and_range_gives_what_libswscale_gives(
    pixel_format, largest, mean, matrix, colour_range, device
):
    planes = noise(pixel_format, 64, 48, full_range=colour_range == FULL)
    ours = yuv_to_rgb(
        tuple(torch.from_numpy(plane).to(device) for plane in planes),
        matrix=matrix,
        full_range=colour_range == FULL,
        bits=10 if "10" in pixel_format else 8,
    )
    assert (ours.dtype, ours.shape, ours.device.type) == (torch.uint8, (48, 64, 3), device)
    theirs = by_libswscale(frame_of(pixel_format, planes, matrix, colour_range))
    found = difference(ours, theirs)
    assert found[0] <= largest
    assert found[1] <= mean
    # A wrong matrix or range would be far beyond these tolerances.
    other = 6 if matrix in (1, 7, 9) else 1
    for wrong in ((other, colour_range), (matrix, 3 - colour_range)):
        assert difference(ours, by_libswscale(frame_of(pixel_format, planes, *wrong)))[1] > 2 + mean


@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize(("planar", "surface"), [("yuv420p", "nv12"), ("yuv420p10le", "p010le")])
def test_the_surfaces_of_a_gpu_give_what_the_cpu_makes_of_the_same_samples(planar, surface, colour_range):
    y, u, v = noise(planar, 64, 48, full_range=colour_range == FULL)
    shift = 6 if surface == "p010le" else 0
    on_surface = frame_of(surface, [y << shift, np.stack([u, v], -1) << shift], 1, colour_range)
    ours = picture_to_rgb(on_surface, on_surface.width, left=False)
    same = yuv_to_rgb(
        tuple(map(torch.from_numpy, (y, u, v))),
        matrix=1,
        full_range=colour_range == FULL,
        bits=10 if shift else 8,
    )
    assert torch.equal(ours, same)
    assert difference(ours, by_libswscale(frame_of(planar, [y, u, v], 1, colour_range)))[0] <= 4


def test_the_capsule_keeps_the_samples_of_a_frame_that_is_gone():
    planes = noise("yuv420p", 64, 48, full_range=True)
    frame = frame_of("nv12", [planes[0], np.stack(planes[1:], -1)], 1, FULL)
    luma = torch.from_dlpack(frame.planes[0].__dlpack__())
    del frame
    assert np.array_equal(luma.numpy(), planes[0])


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (63, 47), (2, 2), (1, 1)])
def test_odd_sizes(width, height):
    flat = [
        np.full(
            ((height + 1) // 2 if chroma else height, (width + 1) // 2 if chroma else width), level, np.uint8
        )
        for chroma, level in ((False, 120), (True, 90), (True, 170))
    ]
    theirs = by_libswscale(frame_of("yuv420p", flat, 6, LIMITED))
    ours = yuv_to_rgb(tuple(map(torch.from_numpy, flat)), matrix=6, full_range=False, bits=8)
    assert difference(ours, theirs)[0] <= 2
    # NV12 by DLPack has lost the last column and row of chroma: they are repeated.
    if min(width, height) > 1:
        short = (flat[0], *(plane[: height // 2, : width // 2] for plane in flat[1:]))
        assert torch.equal(
            yuv_to_rgb(tuple(map(torch.from_numpy, short)), matrix=6, full_range=False, bits=8), ours
        )


def test_gray():
    levels = torch.arange(256, dtype=torch.uint8).reshape(16, 16)
    full = yuv_to_rgb((levels,), matrix=2, full_range=True, bits=8)
    assert torch.equal(full, levels.unsqueeze(-1).expand(-1, -1, 3))
    limited = yuv_to_rgb((levels,), matrix=2, full_range=False, bits=8)
    assert limited[1, 0].tolist() == [0, 0, 0]  # 16
    assert limited[14, 11].tolist() == [255, 255, 255]  # 235


def picture(height=48, width=64):
    """Smooth, with different colours at all edges."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 128 + 90 * np.sin(x / 9) * np.cos(y / 7)], -1).astype(
        np.uint8
    )


@pytest.mark.parametrize("flip_y", [False, True])
@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_upright(transposed, flip_x, flip_y):
    orientation = Orientation(transposed, flip_x, flip_y)
    stored = picture()
    ours = displayed(torch.from_numpy(stored), orientation, 64)
    assert np.array_equal(ours.numpy(), orientation.apply(stored))
    assert ours.is_contiguous()
    # What a probe tells of it is enough to make it again.
    assert Orientation.turned(orientation.rotation_degrees, mirrored=orientation.mirrored) == orientation


@pytest.mark.parametrize("width", [96, 57, 40])
def test_square_pixels(width):
    stored = picture()
    theirs = by_libswscale(av.VideoFrame.from_ndarray(stored, "rgb24"), width)
    ours = displayed(torch.from_numpy(stored), Orientation(), width)
    assert ours.shape == (48, width, 3)
    largest, mean = difference(ours, theirs)
    assert largest <= 4
    assert mean <= 1.0
