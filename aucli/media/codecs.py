"""Which encoder compresses the pictures: named, or the first hardware encoder that really works here.

That FFmpeg has an encoder says nothing about the machine: each is tried, with pictures of the size that is
wanted. To add one: an entry in `CODECS`. VAAPI is not among them: it takes
only pictures that lie in the GPU's memory already, and PyAV has no way to bring them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from aucli.errors import UsageError

AUTO, SOFTWARE = "auto", "libx264"


@dataclass(frozen=True)
class CodecKind:
    """An encoder, with the names that FFmpeg has for its options.

    default_crf: what pictures with small text need, on its own scale from 0, the best, to largest_crf.
    fixed: its other options. quality: the options that get the quality; pixel_format: the one that it takes.
    """

    default_crf: int
    fixed: Mapping[str, str]
    quality: tuple[str, ...] = ("crf",)
    largest_crf: int = 51
    pixel_format: str = "yuv420p"
    is_hardware: bool = False

    def options(self, crf: int | None) -> dict[str, str]:
        """Its options for this quality, None for the default."""
        level = self.default_crf if crf is None else crf
        if self.is_hardware:
            level = max(1, level)  # to hardware, 0 is no quality but "choose yourself"
        if self.fixed.get("flags") == "+qscale":
            # VideoToolbox counts from 1, the worst, to 100, in FFmpeg's units of 118 (FF_QP2LAMBDA).
            level = 118 * max(1, round(100 * (1 - level / self.largest_crf)))
        return {**self.fixed, **dict.fromkeys(self.quality, str(level))}


def _hardware(default_crf: int) -> dict[str, CodecKind]:
    """The makers' encoders of one standard, by the end of their names."""
    kinds = {
        "nvenc": CodecKind(default_crf, {"preset": "p4", "rc": "vbr"}, ("cq",)),
        "videotoolbox": CodecKind(default_crf, {"flags": "+qscale"}, ("global_quality",)),
        "qsv": CodecKind(default_crf, {}, ("global_quality",), pixel_format="nv12"),
        "amf": CodecKind(default_crf, {"rc": "cqp"}, ("qp_i", "qp_p")),
    }
    return {maker: replace(kind, is_hardware=True) for maker, kind in kinds.items()}


CODECS: Mapping[str, CodecKind] = {
    # veryfast: a third of the time of the default at a size some 10 % larger; it looks 10 frames ahead, which
    # is what bounds the memory.
    "libx264": CodecKind(20, {"preset": "veryfast"}),
    "libx265": CodecKind(22, {"preset": "veryfast", "x265-params": "log-level=none"}),
    "libsvtav1": CodecKind(30, {"preset": "10"}, largest_crf=63),
    **{f"h264_{maker}": kind for maker, kind in _hardware(20).items()},
    **{f"hevc_{maker}": kind for maker, kind in _hardware(22).items()},
}
# In the order in which `auto` tries them.
HARDWARE_H264 = tuple(name for name, kind in CODECS.items() if kind.is_hardware and name.startswith("h264"))
_USUAL_SIZE = (640, 360)


@dataclass(frozen=True)
class Encoding:
    """How pictures are compressed.

    codec: a name of `CODECS`, or `auto`: see `choose_encoder`. crf: quality, 0 is best, on the scale of the
    constant rate factor of H.264 and HEVC, 0 to 51 (AV1: 63), of which hardware encoders get the nearest that
    they have; None for the codec's default. threads: of a software encoder.

    Raises:
        UsageError: a codec that is not known, or a quality outside its scale.
    """

    codec: str = AUTO
    crf: int | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.codec not in (AUTO, *CODECS):
            raise UsageError(f"--codec {self.codec!r}: choose one of {AUTO}, {', '.join(CODECS)}")
        largest = CODECS[SOFTWARE if self.codec == AUTO else self.codec].largest_crf
        if self.crf is not None and not 0 <= self.crf <= largest:
            raise UsageError(f"--crf {self.crf}: must be 0 (best) to {largest} with {self.codec}")


def choose_encoder(encoding: Encoding, width: int = 0, height: int = 0) -> tuple[Encoding, str]:
    """The encoding with a codec that works here, and why that one: empty where it was named.

    `auto` is hardware H.264 where it works, else libx264. width, height: of the pictures; 0 for a usual size.

    Raises:
        UsageError: the codec that was named does not work here, with the reason and the way out.
    """
    if not (width and height):
        width, height = _USUAL_SIZE
    if encoding.codec != AUTO:
        why_not = refusal(encoding.codec, width, height)
        if why_not:
            raise UsageError(
                f"--codec {encoding.codec} does not work here for {width} x {height} pixels ({why_not}): "
                f"leave --codec out, which takes what works, or give --codec {SOFTWARE}"
            )
        return encoding, ""
    refused = []
    for name in HARDWARE_H264:
        why_not = refusal(name, width, height)
        if not why_not:
            return replace(encoding, codec=name), f"encoded by {name}, the hardware of this machine"
        if _is_there(name):
            refused.append(f"{name}: {why_not}")
    why = f"encoded by {SOFTWARE}: no hardware encoder for H.264 works here ({'; '.join(refused)})"
    return replace(encoding, codec=SOFTWARE), why


@lru_cache(maxsize=64)
def refusal(codec: str, width: int, height: int) -> str:
    """Why this codec cannot encode pictures of this size here; empty where it can.

    Hardware is tried on some pictures, whose times must come out again.
    """
    if not _is_there(codec):
        return f"it is not in this FFmpeg, {av.ffmpeg_version_info}"
    if not CODECS[codec].is_hardware:
        return ""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)  # what is logged says more than the error
    try:
        with av.logging.Capture() as logs:
            error = _trial(codec, width, height)
    finally:
        av.logging.set_level(level)
    return " ".join(logs[0][2].split()).rstrip(".") if error and logs else error


def _is_there(codec: str) -> bool:
    try:
        Codec(codec, "w")
    except UnknownCodecError:
        return False
    return True


def _trial(codec: str, width: int, height: int) -> str:
    """What went wrong with some pictures of uneven times; empty if nothing did."""
    times = [0, 1, 5]
    try:
        context = VideoCodecContext.create(codec, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = width, height
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.pix_fmt, context.bit_rate = CODECS[codec].pixel_format, 0
        context.options = CODECS[codec].options(None)
        packets = []
        for time in times:
            black = np.zeros((height, width, 3), np.uint8)
            frame = VideoFrame.from_ndarray(black, format="rgb24").reformat(format=context.pix_fmt)
            frame.pts, frame.time_base = time, Fraction(1, 25)
            packets += context.encode(frame)
        packets += context.encode(None)
    except (av.error.FFmpegError, ValueError) as error:
        return str(error)
    return "" if sorted(packet.pts or 0 for packet in packets) == times else "it changes the times of frames"
