"""Write a video: pictures with the time stamps that they had, and the sound of the source as it is.

Pictures are compressed by the encoder of the chosen codec; sound packets are copied without decoding, so that
their bytes stay the same. One exception is made by the container, not here: the sound of transport streams
has a header of 7 bytes on each packet (ADTS), which MP4 and Matroska keep once for the whole file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from aucli.errors import MediaError
from aucli.media.codecs import CODECS, Encoding, choose_encoder
from aucli.media.container import ffmpeg_name
from aucli.media.scheduling import ordinary_threads

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
# For sound that does not fit into MP4, in this order: Matroska rounds times to milliseconds.
FALLBACK_SUFFIXES = (".mov", ".mkv")

_KEY_FRAME_SECONDS = 2  # a player jumps to these: more of them make stepping backwards bearable
_LARGEST_KEY_INTERVAL = 250
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class SoundTracks:
    """The sound streams of a file, read packet by packet, to be copied.

    notes: what could not be copied, in words; complete once all packets were read.
    """

    def __init__(self, path: Path) -> None:
        self._container: InputContainer = av.open(ffmpeg_name(path), metadata_errors="replace")
        self.streams: list[AudioStream] = []
        self.notes: list[str] = []
        for stream in self._container.streams.audio:
            # PyAV has no context for a codec that its FFmpeg does not know.
            if stream.codec_context is None:
                self.notes.append("a sound stream of an unknown codec was left out")
            else:
                self.streams.append(stream)

    @property
    def codecs(self) -> list[str]:
        return [stream.codec_context.codec.canonical_name for stream in self.streams]

    def packets(self) -> Iterator[Packet[Stream]]:
        """All packets of these streams with something in them, in the order of the file."""
        if not self.streams:
            return
        try:
            for packet in self._container.demux(self.streams):
                if packet.size and packet.dts is not None:
                    yield packet
        except av.error.FFmpegError as error:
            self.notes.append(f"the sound ends early: it cannot be read on ({error.strerror})")
        except IndexError:
            return  # as in `container.packets_of`

    def close(self) -> None:
        self._container.close()


class VideoWriter:
    """One video file being written; a context manager, which finishes the file when left without an error.

    path: an existing or new file, overwritten. container: FFmpeg's name of the format, see `FORMATS`.
    width, height: of the pictures in pixels, both even. time_base: unit of the time stamps, that of
    the source. frame_rate: average, on which only the spacing of key frames depends.
    sound: to be copied, or None. comment: goes into the file's metadata.
    note: which encoder `auto` chose and why, see `choose_encoder`.

    Raises (on entering and in all methods):
        UsageError: the codec does not work here.
        MediaError: the sound does not fit into this container, or FFmpeg refuses something else.
        OSError: the file cannot be written (no room, no permission).
    """

    def __init__(
        self,
        path: Path,
        container: str,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        frame_rate: Fraction | None,
        encoding: Encoding,
        sound: SoundTracks | None = None,
        comment: str = "",
    ) -> None:
        encoding, self.note = choose_encoder(encoding, width, height)
        self._path = path
        self._time_base = time_base
        self._reformatter = VideoReformatter()
        self._container: OutputContainer = av.open(ffmpeg_name(path), "w", format=container)
        if comment:
            self._container.metadata["comment"] = comment
        rate = frame_rate or Fraction(25)
        stream = self._container.add_stream(encoding.codec, rate=rate)
        assert isinstance(stream, VideoStream)  # `CODECS` has no others
        self._pixel_format = CODECS[encoding.codec].pixel_format
        stream.width, stream.height, stream.pix_fmt = width, height, self._pixel_format
        stream.time_base = stream.codec_context.time_base = time_base
        context = stream.codec_context
        context.gop_size = min(_LARGEST_KEY_INTERVAL, max(1, round(_KEY_FRAME_SECONDS * rate)))
        context.thread_count = encoding.threads
        context.thread_type = "FRAME"  # slices would cost quality
        context.color_range = ColorRange.MPEG
        context.color_primaries = context.color_trc = context.colorspace = 1  # ITU-R BT.709
        stream.options = dict(CODECS[encoding.codec].options(encoding.crf))
        if CODECS[encoding.codec].is_hardware:
            context.bit_rate = 0  # it follows from the quality
        if context.codec.canonical_name == "hevc" and container != "matroska":
            context.codec_tag = "hvc1"  # what QuickTime plays
        self._stream = stream
        self._is_open = False  # the encoder, with the first picture
        self._sound = sound
        self._sound_packets = iter(()) if sound is None else sound.packets()
        self._sound_targets = {
            taken.index: self._container.add_stream_from_template(taken)
            for taken in (sound.streams if sound is not None else ())
        }
        self._next_sound = next(self._sound_packets, None)

    def write(self, pixels: NDArray[np.uint8], pts: int) -> None:
        """Add a picture, uint8 (height, width, 3), RGB, shown from `pts` (in units of the time base) on.

        Time stamps must increase from picture to picture.
        """
        with _told(self._path):
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = self._reformatter.reformat(
                frame,
                format=self._pixel_format,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            frame.pts, frame.time_base = pts, self._time_base
            self._copy_sound(pts * self._time_base)
            with nullcontext() if self._is_open else ordinary_threads():
                packets = self._stream.encode(frame)
            self._is_open = True
            self._container.mux(packets)

    def _copy_sound(self, until: Fraction | None) -> None:
        """Sound up to this time in seconds, so that it lies in the file beside its pictures."""
        while (packet := self._next_sound) is not None:
            assert packet.dts is not None  # see `SoundTracks.packets`
            if until is not None and packet.dts * packet.time_base > until:
                return
            packet.stream = self._sound_targets[packet.stream.index]
            self._container.mux(packet)
            self._next_sound = next(self._sound_packets, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            # Closing writes the end of a file that nobody wants, and may fail for the same reason.
            with suppress(av.error.FFmpegError):
                self._container.close()
            return
        with _told(self._path):
            self._copy_sound(None)
            self._container.mux(self._stream.encode(None))
            self._container.close()


def comment_of(path: Path) -> str:
    """The comment in a video file's metadata; empty where there is none or the file is no video."""
    try:
        with av.open(ffmpeg_name(path), metadata_errors="replace") as container:
            return next((text for name, text in container.metadata.items() if name.lower() == "comment"), "")
    except (av.error.FFmpegError, ValueError):
        return ""


def fits(container: str, sound: SoundTracks) -> bool:
    """Whether this container takes the sound as it is: tried, by writing the head of a file to nowhere."""
    if not sound.streams:
        return True
    trial = av.open(os.devnull, "w", format=container)
    try:
        for stream in sound.streams:
            trial.add_stream_from_template(stream)
        trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    finally:
        with suppress(av.error.FFmpegError):
            trial.close()
    return True


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """FFmpeg's errors of a full disk as the system's own, its others as ours."""
    try:
        yield
    except av.error.FFmpegError as error:
        if error.errno in _NO_ROOM:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise MediaError(f"cannot be encoded ({error.strerror})") from error
