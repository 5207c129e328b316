"""What the video decoder of an NVIDIA GPU (NVDEC) can decode, asked of the driver before a file is tried."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import torch
from av.video.format import VideoFormat

from aucli.errors import DecoderUnavailableError
from aucli.media.probe import VideoProbe

# FFmpeg's names; the numbers of cudaVideoCodec (NVIDIA Video Codec SDK, cuviddec.h).
_CODECS = {
    "mpeg1video": 0,
    "mpeg2video": 1,
    "mpeg4": 2,
    "vc1": 3,
    "h264": 4,
    "hevc": 8,
    "vp8": 9,
    "vp9": 10,
    "av1": 11,
}
LEFT_CHROMA = ("h264", "hevc")  # unless their streams say otherwise, which PyAV does not tell
_LAYOUTS = {0: "gray", 1: "4:2:0", 2: "4:2:2", 3: "4:4:4"}  # cudaVideoChromaFormat


class _Caps(ctypes.Structure):
    """CUVIDDECODECAPS of cuviddec.h; the first three fields are the question."""

    _fields_ = (
        ("codec", ctypes.c_int),
        ("chroma_format", ctypes.c_int),
        ("bit_depth_minus_8", ctypes.c_uint),
        ("reserved_1", ctypes.c_uint * 3),
        ("is_supported", ctypes.c_ubyte),
        ("engines", ctypes.c_ubyte),
        ("output_formats", ctypes.c_ushort),
        ("max_width", ctypes.c_uint),
        ("max_height", ctypes.c_uint),
        ("max_macroblocks", ctypes.c_uint),
        ("min_width", ctypes.c_ushort),
        ("min_height", ctypes.c_ushort),
        ("is_histogram_supported", ctypes.c_ubyte),
        ("counter_bits", ctypes.c_ubyte),
        ("max_histogram_bins", ctypes.c_ushort),
        ("reserved_3", ctypes.c_uint * 10),
    )


@dataclass(frozen=True)
class Limits:
    """Sizes in pixels that a GPU decodes of one kind of video; engines: how many of its decoders do so."""

    engines: int
    min_width: int
    min_height: int
    max_width: int
    max_height: int
    max_macroblocks: int  # of 16 x 16 pixels


def kind_of(pixel_format: str) -> tuple[int, int] | None:
    """Chroma layout as cudaVideoChromaFormat and bits of a sample; None for RGB, palettes and the like."""
    try:
        # In a picture of 4 x 4 pixels; without a size PyAV computes those of the chroma planes wrongly.
        form = VideoFormat(pixel_format, 4, 4)
    except ValueError:
        return None
    components = [part for part in form.components if not part.is_alpha]
    if form.is_rgb or form.has_palette or form.is_bit_stream or not components:
        return None
    if len(components) == 1:
        return 0, components[0].bits
    sizes = {(4, 4): 3, (2, 4): 2, (2, 2): 1}
    chroma = (form.chroma_width(4), form.chroma_height(4))
    return (sizes[chroma], components[0].bits) if chroma in sizes else None


def refusal(described: VideoProbe, device: str) -> str | None:
    """Why this GPU cannot decode such a video, None where it can."""
    kind = kind_of(described.pixel_format)
    if described.codec not in _CODECS or kind is None:
        return f"NVDEC does not decode {described.codec} in {described.pixel_format}"
    chroma, bits = kind
    what = f"{described.codec} {_LAYOUTS[chroma]} of {bits} bits"
    try:
        limits = limits_of(described.codec, chroma, bits, device)
    except DecoderUnavailableError as error:
        return str(error)
    if limits is None:
        return f"the decoder of this GPU does not do {what}"
    # Which side is the longer is not known here: the probe's size is that of the upright picture.
    short, long = sorted((described.width, described.height))
    blocks = -(-short // 16) * -(-long // 16)
    if long > max(limits.max_width, limits.max_height) or blocks > limits.max_macroblocks:
        return f"{long} x {short} is too large for this GPU's decoder ({what})"
    if short < min(limits.min_width, limits.min_height):
        return f"{long} x {short} is too small for this GPU's decoder ({what})"
    return None


@lru_cache(maxsize=256)
def limits_of(codec: str, chroma: int, bits: int, device: str) -> Limits | None:
    """What the GPU decodes of this kind; None where it decodes nothing of it.

    chroma: cudaVideoChromaFormat. device: as torch names it.

    Raises:
        DecoderUnavailableError: there is no such GPU, or its driver has no library for video.
    """
    try:
        library = ctypes.CDLL("libnvcuvid.so.1")
    except OSError as error:
        raise DecoderUnavailableError(
            f"the driver's library for decoding video cannot be loaded ({error}); in a container: "
            "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"
        ) from error
    try:
        with torch.cuda.device(device):
            torch.zeros(1, device=device)  # makes its context current, which is what the driver asks about
            caps = _Caps(codec=_CODECS[codec], chroma_format=chroma, bit_depth_minus_8=bits - 8)
            status = library.cuvidGetDecoderCaps(ctypes.byref(caps))
    except (RuntimeError, AssertionError) as error:
        raise DecoderUnavailableError(f"{device} cannot be used: {str(error).splitlines()[0]}") from error
    if status != 0:
        raise DecoderUnavailableError(f"the driver does not tell what it decodes (CUDA error {status})")
    if not caps.is_supported:
        return None
    return Limits(
        caps.engines, caps.min_width, caps.min_height, caps.max_width, caps.max_height, caps.max_macroblocks
    )


def engines(device: str) -> int:
    """How many of the GPU's engines decode H.264, the kind of most videos; 0 where none can be used."""
    try:
        limits = limits_of("h264", 1, 8, device)
    except DecoderUnavailableError:
        return 0
    return 0 if limits is None else limits.engines


def decodable(device: str) -> dict[str, int]:
    """Kinds of video that this GPU decodes, such as `hevc 4:2:0 10 bit`, and how many engines do each."""
    found = {}
    for codec in _CODECS:
        for chroma, layout in _LAYOUTS.items():
            for bits in (8, 10, 12):
                limits = limits_of(codec, chroma, bits, device)
                if limits is not None:
                    found[f"{codec} {layout} {bits} bit"] = limits.engines
    return found
