"""What a file says of itself, without decoding more than its first picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from aucli.datatypes import Source
from aucli.media.container import open_video, packets_of
from aucli.media.display import Orientation, display_width
from aucli.media.pictures import describe_picture, folder_pictures

PACKETS_TRIED = 100  # until a first picture comes out
HDR_TRANSFERS = {16: "pq", 18: "hlg"}  # ITU-T H.273, TransferCharacteristics


@dataclass(frozen=True)
class VideoProbe:
    """One source as its header describes it; None where the header does not say.

    Sizes are those of the picture as displayed: turned upright, with square pixels.
    """

    container: str  # FFmpeg's name of the format; "picture" or "folder" for pictures
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation_degrees: int  # counter-clockwise, by which the stored picture is turned to be upright
    mirrored: bool
    sample_aspect_ratio: Fraction  # of the stored pixels
    frames_from_header: int | None
    duration_seconds_from_header: float | None
    frame_rate: Fraction | None  # average
    time_base: Fraction
    start_seconds: float | None
    has_audio: bool
    size_bytes: int
    transfer: str | None = None  # "pq" or "hlg" where the video is HDR


def probe(source: Source) -> VideoProbe:
    """Read the header and the first picture.

    Raises:
        MediaError: the source cannot be opened as what it is, with the reason.
    """
    if source.kind != "video":
        return _probe_pictures(source)
    container, stream = open_video(source.path)
    with container:
        orientation = _orientation_of_first_picture(container, stream)
        width, height = display_width(stream.width, stream.sample_aspect_ratio), stream.height
        if orientation.transposed:
            width, height = height, width
        time_base = stream.time_base or Fraction(1, av.time_base)
        duration = None
        if stream.duration is not None:
            duration = float(stream.duration * time_base)
        elif container.duration is not None:
            duration = container.duration / av.time_base
        return VideoProbe(
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            pixel_format=stream.pix_fmt or "unknown",
            width=width,
            height=height,
            rotation_degrees=orientation.rotation_degrees,
            mirrored=orientation.mirrored,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            frames_from_header=stream.frames or None,
            duration_seconds_from_header=duration,
            frame_rate=stream.average_rate or stream.guessed_rate,
            time_base=time_base,
            start_seconds=None if stream.start_time is None else float(stream.start_time * time_base),
            has_audio=bool(container.streams.audio),
            size_bytes=source.path.stat().st_size,
            transfer=HDR_TRANSFERS.get(int(stream.codec_context.color_trc)),
        )


def _orientation_of_first_picture(container: InputContainer, stream: VideoStream) -> Orientation:
    """The display matrix reaches PyAV's user with the decoded picture only."""
    try:
        for count, packet in enumerate(packets_of(container, stream)):
            try:
                pictures = stream.decode(packet)
            except av.error.FFmpegError:
                pictures = []  # a damaged packet; the decoder's own report counts them
            if pictures:
                return Orientation.of(pictures[0])
            if count >= PACKETS_TRIED:
                return Orientation()
        pictures = stream.decode(None)
        return Orientation.of(pictures[0]) if pictures else Orientation()
    except av.error.FFmpegError:
        return Orientation()  # the file ends here; what the header says still holds


def _probe_pictures(source: Source) -> VideoProbe:
    pictures = folder_pictures(source.path) if source.kind == "image_folder" else [source.path]
    first = describe_picture(pictures[0])
    return VideoProbe(
        container="folder" if source.kind == "image_folder" else "picture",
        codec=first.codec,
        pixel_format=first.pixel_format,
        width=first.width,
        height=first.height,
        rotation_degrees=first.orientation.rotation_degrees,
        mirrored=first.orientation.mirrored,
        sample_aspect_ratio=Fraction(1),
        frames_from_header=len(pictures) if source.kind == "image_folder" else first.pictures,
        duration_seconds_from_header=None,
        frame_rate=None,
        time_base=Fraction(1, 1000) if first.is_animation else Fraction(1),
        start_seconds=0.0,
        has_audio=False,
        size_bytes=sum(picture.stat().st_size for picture in pictures),
    )
