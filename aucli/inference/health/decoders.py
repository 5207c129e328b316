"""The decoders, each tried on the first pictures of an example clip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import as_file, files
from typing import Any

import av

from aucli.config import DecoderName, ExtractConfig
from aucli.datatypes import Frame, Selection, Source
from aucli.inference.health.finding import Finding
from aucli.media.decode import open_decoder

CLIP = "smile.mp4"
# Names of the decoders that can do each codec without special hardware (FFmpeg's own `av1` cannot).
USUAL_CODECS = {
    "h264": ("h264",),
    "hevc": ("hevc",),
    "vp9": ("vp9", "libvpx-vp9"),
    "av1": ("libdav1d", "libaom-av1"),
    "mpeg4": ("mpeg4",),
    "prores": ("prores",),
}


@contextmanager
def example_clip() -> Iterator[Source]:
    """The packaged clip as a source."""
    with as_file(files("aucli") / "examples" / CLIP) as path:
        yield Source(path, CLIP)


def first_frames(decoder: DecoderName, device: str = "cpu") -> list[Frame]:
    """The frames of the clip's first tenth of a second.

    Raises:
        MediaError, DecoderUnavailableError: see `open_decoder`.
    """
    with example_clip() as clip, open_decoder(clip, Selection(end_seconds=0.1), decoder, device) as opened:
        return list(opened.frames())


def pyav(_config: ExtractConfig) -> list[Finding]:
    """PyAV: its FFmpeg, what that decodes, and the example clip. `extract` needs it with every decoder."""
    codecs = {codec: _decodes(names) for codec, names in USUAL_CODECS.items()}
    details = {
        "version": av.__version__,
        "ffmpeg": av.ffmpeg_version_info,
        "libraries": {name: ".".join(map(str, number)) for name, number in av.library_versions.items()},
        "codecs": codecs,
    }
    text = f"PyAV {av.__version__} with FFmpeg {av.ffmpeg_version_info}: {_read('pyav', details)}"
    able = [codec for codec, decodes in codecs.items() if decodes]
    if len(able) < len(codecs):
        lacking = ", ".join(codec for codec in codecs if codec not in able)
        return [
            Finding(
                "decoders",
                "pyav",
                "warn",
                f"{text}; cannot decode {lacking}",
                "pip install --force-reinstall --no-deps --only-binary av av",
                details,
            )
        ]
    return [Finding("decoders", "pyav", "ok", f"{text}; decodes {', '.join(able)}", details=details)]


def decord(_config: ExtractConfig) -> list[Finding]:
    from aucli.media.decode.decord import CODECS, CONTAINERS  # raises where it cannot be loaded

    details = {"version": version("decord"), "codecs": list(CODECS), "containers": list(CONTAINERS)}
    text = f"decord {details['version']}: {_read('decord', details)}; decodes {', '.join(CODECS)}"
    return [Finding("decoders", "decord", "ok", f"{text} in MP4, MOV, MKV and WebM", details=details)]


def _read(decoder: DecoderName, details: dict[str, Any]) -> str:
    """Words on what it read of the clip.

    Raises:
        ValueError: it read nothing, or pictures of one colour.
    """
    frames = first_frames(decoder)
    details |= {"frames_read": len(frames)}
    if not frames or any(int(frame.pixels.max()) - int(frame.pixels.min()) < 32 for frame in frames):
        raise ValueError(f"reads {len(frames)} pictures of the example clip, which show nothing")
    return f"reads the example clip ({frames[0].width} x {frames[0].height})"


def _decodes(names: tuple[str, ...]) -> bool:
    """Whether FFmpeg has one of these decoders and it opens."""
    for name in names:
        try:
            av.CodecContext.create(name, "r").open()
        except (ValueError, av.error.FFmpegError):  # UnknownCodecError is a ValueError
            continue
        return True
    return False
