"""Open a video file with PyAV, with a plain reason where that is not possible."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from aucli.errors import MediaError
from aucli.media.truncation import missing_bytes

LARGEST_PICTURE_PIXELS = 8192 * 8192  # twice 8K; a damaged header may ask for all the memory there is


def ffmpeg_name(path: Path) -> str:
    """The name to give FFmpeg for a file: in a bare name it takes the part before a colon for a protocol."""
    return str(path.absolute())


def open_video(path: Path, hwaccel: HWAccel | None = None) -> tuple[InputContainer, VideoStream]:
    """Open the file and its main video stream, to be decoded by one thread.

    The caller closes the container. hwaccel: hardware to decode with; that it does not work is told as if
    the file could not be read, so a file must have been opened without it before.

    Raises:
        MediaError: missing, empty, a folder, not readable, not a video, or without a video stream.
    """
    _check_file(path)
    try:
        # metadata_errors: a title in some other encoding must not stop the pictures.
        container = av.open(ffmpeg_name(path), metadata_errors="replace", hwaccel=hwaccel)
    except (av.error.FFmpegError, ValueError, RuntimeError) as error:
        raise MediaError(f"{path}: {_why_not_opened(path, error)}") from error
    # Not streams.video[0]: that may be the cover picture of a film.
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        kinds = sorted({each.type for each in container.streams})
        container.close()
        raise MediaError(f"{path}: has no video stream ({' and '.join(kinds) or 'nothing'} only)")
    if stream.codec_context is None:
        container.close()
        missing = missing_bytes(path)
        cut = f"is cut off: at least {missing:,} bytes are missing at its end; " if missing else ""
        raise MediaError(f"{path}: {cut}its video codec is not known to FFmpeg {av.ffmpeg_version_info}")
    if stream.width * stream.height > LARGEST_PICTURE_PIXELS:
        size = f"{stream.width} x {stream.height}"
        container.close()
        raise MediaError(
            f"{path}: its pictures have {size} pixels, more than {LARGEST_PICTURE_PIXELS:,}: the "
            "header is damaged, or the video has to be scaled down first"
        )
    # Several threads give different pictures from run to run where a file is damaged; the files of a
    # run are decoded side by side instead.
    stream.codec_context.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return container, stream


def videos_in(container: InputContainer) -> list[VideoStream]:
    """The video streams, without cover pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def packets_of(
    container: InputContainer, stream: VideoStream, *, with_empty: bool = False
) -> Iterator[Packet[VideoStream]]:
    """The stream's packets with something in them; the caller asks the decoder for the rest at the end.

    An empty packet (AVI: a frame that the camera dropped) would tell the decoder that the file ends.
    with_empty: also those, and one more at the end of the file.

    Raises:
        av.error.FFmpegError: the file cannot be read on.
    """
    try:
        for packet in container.demux(stream):
            if packet.size or with_empty:
                yield packet
    except IndexError:
        # At its end PyAV looks up a stream that a damaged file grew while it was read, and does not
        # know it (av/container/input.py, the loop after "Flush!"). Ours has been read by then.
        return


def _check_file(path: Path) -> None:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise MediaError(f"{path}: is a folder, not a video file")
        if not stat.S_ISREG(found.st_mode):
            raise MediaError(f"{path}: is not a regular file")
        if found.st_size == 0:
            raise MediaError(f"{path}: is empty (0 bytes)")
        path.open("rb").close()
    except MediaError:
        raise
    except OSError as error:
        raise MediaError(f"{path}: cannot be opened: {(error.strerror or str(error)).lower()}") from error


def _why_not_opened(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        # Incremental: the last character of the head may be cut in the middle.
        if "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head):
            return "is a text file, not a video"
    except UnicodeDecodeError:
        pass  # binary, as it should be
    said = error.strerror if isinstance(error, av.error.FFmpegError) else str(error)
    missing = missing_bytes(path)
    if missing:
        return f"is cut off: at least {missing:,} bytes are missing at its end ({said})"
    return f"cannot be read as a video ({said})"
