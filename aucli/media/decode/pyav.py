"""Decoding on the CPU with PyAV (FFmpeg): the default there, and the yardstick of the others."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
import torch
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from aucli.datatypes import Selection, Source
from aucli.media.decode.packets import PacketDecoder, PacketError
from aucli.media.display import Orientation, display_width


class PyavDecoder(PacketDecoder[VideoFrame]):
    """See `aucli.media.decode.protocol.Decoder`.

    Raises:
        MediaError: the file cannot be opened as a video.
    """

    name = "pyav"

    def __init__(self, source: Source, selection: Selection) -> None:
        super().__init__(source, selection)
        # One for the whole file: it keeps its conversion tables between frames.
        self._reformatter = VideoReformatter()

    def _decode(self, packet: Packet[VideoStream] | None) -> Sequence[VideoFrame]:
        try:
            return self._stream.decode(packet)
        except av.error.FFmpegError as error:
            raise PacketError(error.strerror) from error

    def _pixels(self, picture: VideoFrame) -> torch.Tensor:
        width = display_width(picture.width, self._stream.sample_aspect_ratio)
        rgb = self._reformatter.reformat(picture, width=width, height=picture.height, format="rgb24")
        # to_ndarray is a view where rows are padded.
        stored = np.asarray(rgb.to_ndarray(), np.uint8)
        return torch.from_numpy(np.ascontiguousarray(Orientation.of(picture).apply(stored)))
