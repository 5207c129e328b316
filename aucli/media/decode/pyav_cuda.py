"""Decoding on an NVIDIA GPU by PyAV's `cuda` accelerator (FFmpeg's own use of NVDEC).

Times, damage and the end of the file are told by the same code as for the CPU. Frames stay on the GPU: their
planes reach torch by DLPack and are converted there. FFmpeg copies each picture out of the decoder's own
surface and both work on the GPU's default stream, so pictures may be kept and need no waiting.
"""

from __future__ import annotations

from collections.abc import Sequence

import av
import torch
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from aucli.datatypes import Selection, Source
from aucli.errors import MediaError
from aucli.media.decode.colour import FULL_RANGE
from aucli.media.decode.convert import to_rgb
from aucli.media.decode.nvdec import LEFT_CHROMA, kind_of, refusal
from aucli.media.decode.packets import PacketDecoder, PacketError
from aucli.media.decode.refused import refused
from aucli.media.decode.surface import displayed
from aucli.media.display import Orientation, display_width
from aucli.media.probe import probe
from aucli.media.stretch import Stretch

_SURFACES = {"nv12": 8, "p010le": 16, "p016le": 16}  # what PyAV gives to DLPack; bits with those on top
_FOUR_TWO_ZERO = 1


class PyavCudaDecoder(PacketDecoder[VideoFrame]):
    """See `aucli.media.decode.protocol.Decoder`.

    device: as torch names it, "cuda:0".

    Raises:
        MediaError: the file cannot be opened as a video.
        DecoderUnavailableError: there is no such GPU, or its decoder cannot do this kind of video.
    """

    name = "pyav-cuda"

    def __init__(
        self, source: Source, selection: Selection, device: str, *, stretch: Stretch | None = None
    ) -> None:
        described = probe(source)
        kind = kind_of(described.pixel_format)
        why_not = refusal(described, device)
        if why_not is None and (kind is None or kind[0] != _FOUR_TWO_ZERO):
            why_not = f"it takes 4:2:0 only, and this is {described.pixel_format}"
        if why_not:
            raise refused(source.path, self.name, why_not)
        # is_hw_owned: frames stay on the GPU, in the context that torch uses too.
        index = device.partition(":")[2] or "0"
        accelerator = HWAccel("cuda", index, allow_software_fallback=False, is_hw_owned=True)
        try:
            super().__init__(source, selection, accelerator, stretch=stretch)
        except MediaError as error:  # `probe` has opened it, so it is the hardware
            raise refused(source.path, self.name, str(error.__cause__ or error)) from error
        if not self._stream.codec_context.is_hwaccel:
            self._container.close()
            why_not = f"FFmpeg's decoder {self._stream.codec_context.name} uses no hardware"
            raise refused(source.path, self.name, why_not)

    def _decode(self, packet: Packet[VideoStream] | None) -> Sequence[VideoFrame]:
        try:
            return self._stream.decode(packet)
        except MemoryError as error:
            raise refused(self._path, self.name, "out of memory") from error
        except av.error.FFmpegError as error:
            raise PacketError(error.strerror) from error

    def _pixels(self, picture: VideoFrame) -> Tensor:
        try:
            return picture_to_rgb(
                picture,
                display_width(picture.width, self._stream.sample_aspect_ratio),
                left=self._stream.codec_context.codec.canonical_name in LEFT_CHROMA,
            )
        except (torch.OutOfMemoryError, NotImplementedError, KeyError) as error:
            # NotImplementedError: PyAV makes no DLPack capsule of this surface: a layout it does not know,
            # rows that lie upside down, or not on the GPU. KeyError: a layout not known here.
            raise refused(self._path, self.name, str(error)) from error


def picture_to_rgb(picture: VideoFrame, width: int, *, left: bool) -> Tensor:
    """uint8 (height, width, 3), RGB, upright, on the device that the picture lies on.

    picture: NV12, P010 or P016, on a GPU or the CPU. width: see `displayed`. left: see `yuv_to_rgb`.

    Raises:
        KeyError: another pixel format.
    """
    surface = picture.sw_format or picture.format
    bits = _SURFACES[surface.name]
    # By the capsule: `torch.from_dlpack(plane)` would pass a stream, which PyAV refuses for CUDA.
    luma, chroma = (from_dlpack(plane.__dlpack__()) for plane in picture.planes)
    rgb = to_rgb(
        (luma, chroma[..., 0], chroma[..., 1]),
        matrix=int(picture.colorspace),
        full_range=picture.color_range == FULL_RANGE,
        bits=bits,
        left=left,
    )
    return displayed(rgb, Orientation.of(picture), width)
