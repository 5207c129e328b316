"""Decoding on the CPU with PyAV (FFmpeg): the default there, and the yardstick of the others."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import av
import numpy as np
import torch
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from aucli.datatypes import Selection, Source
from aucli.media.decode.packets import PacketDecoder, PacketError
from aucli.media.display import Orientation, display_width
from aucli.media.stretch import Stretch


class PyavDecoder(PacketDecoder[VideoFrame]):
    """See `aucli.media.decode.protocol.Decoder`.

    Raises:
        MediaError: the file cannot be opened as a video.
    """

    name = "pyav"

    def __init__(self, source: Source, selection: Selection, *, stretch: Stretch | None = None) -> None:
        super().__init__(source, selection, stretch=stretch)
        # One for the whole file: it keeps its conversion tables between frames.
        self._reformatter = VideoReformatter()

    def _decode(self, packet: Packet[VideoStream] | None) -> Sequence[VideoFrame]:
        try:
            return self._stream.decode(packet)
        except av.error.FFmpegError as error:
            raise PacketError(error.strerror) from error

    def _pixels(self, picture: VideoFrame) -> torch.Tensor:
        width = display_width(picture.width, self._stream.sample_aspect_ratio)
        size = {"width": width, "height": picture.height}
        try:
            rgb = self._reformatter.reformat(picture, **size, format="rgb24")
        except OSError as error:
            # A rare way to code colours (YCgCo, ICtCp), or a damaged header that names one.
            if error.errno != errno.EOPNOTSUPP:
                raise
            rgb = self._reformatter.reformat(
                picture, **size, format="rgb24", src_colorspace=Colorspace.ITU709
            )
            note = f"colours are taken for those of BT.709: FFmpeg converts none of kind {picture.colorspace}"
            if note not in self._notes:
                self._notes.append(note)
        # to_ndarray is a view where rows are padded.
        stored = np.asarray(rgb.to_ndarray(), np.uint8)
        return torch.from_numpy(np.ascontiguousarray(Orientation.of(picture).apply(stored)))
