"""Decoding on an NVIDIA GPU with torchcodec's low-level interface; its frames never leave the GPU.

torchcodec's `VideoDecoder` would lose frames of transport streams, MPG and AVI to its index; its `Demuxer`
and packet decoder do not. They hide what packets are, though, so PyAV reads the same file in step with them:
that tells empty, damaged and hidden packets and all times, as for the CPU. Only marks of damaged frames are
lost. Colours are converted by `colour.yuv_to_rgb`, whose agreement with the CPU decoder is tested.

torchcodec has no FFmpeg of its own; a worker process lends it PyAV's, see `inference.lent_ffmpeg`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from av.packet import Packet
from av.video.format import VideoFormat
from av.video.stream import VideoStream

from aucli.datatypes import Selection, Source
from aucli.errors import DecoderUnavailableError
from aucli.media.container import ffmpeg_name, packets_of
from aucli.media.decode.colour import FULL_RANGE
from aucli.media.decode.convert import to_rgb
from aucli.media.decode.nvdec import LEFT_CHROMA, refusal
from aucli.media.decode.packets import PacketDecoder, PacketError
from aucli.media.decode.refused import refused
from aucli.media.decode.surface import displayed
from aucli.media.display import Orientation, display_width
from aucli.media.probe import probe
from aucli.media.stretch import Stretch

try:
    from torchcodec.decoders import Demuxer, RawFrame
    from torchcodec.decoders import Packet as CodedPacket
except (ImportError, OSError, RuntimeError) as error:
    # A version before 0.17 has no Demuxer.
    raise DecoderUnavailableError(
        f"--decoder torchcodec: it cannot be loaded here ({str(error).splitlines()[0]}): "
        "pip install 'aucli[gpu]', or take --decoder auto"
    ) from error

CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4")  # others it would decode on the CPU, without a word
_NO_TIME = 2**62  # FFmpeg's "no time stamp" is -2**63, which comes here as seconds


@dataclass(frozen=True)
class RawPicture:
    """A decoded picture with its time in units of the stream's time base."""

    pts: int | None
    raw: RawFrame
    dts: int | None = None
    is_corrupt: bool = False  # torchcodec does not tell


class TorchcodecDecoder(PacketDecoder[RawPicture]):
    """See `aucli.media.decode.protocol.Decoder`.

    device: as torch names it. On "cpu" the same code runs with FFmpeg's own decoders, as the tests do.

    Raises:
        MediaError: the file cannot be opened as a video.
        DecoderUnavailableError: torchcodec does not load, there is no such GPU, or its decoder cannot do
            this kind of video.
    """

    name = "torchcodec"

    def __init__(
        self, source: Source, selection: Selection, device: str, *, stretch: Stretch | None = None
    ) -> None:
        described = probe(source)
        if device != "cpu":
            why_not = f"it decodes {', '.join(CODECS)}, not {described.codec}"
            if described.codec in CODECS:
                why_not = refusal(described, device) or ""
            if why_not:
                raise refused(source.path, self.name, why_not)
        super().__init__(source, selection, stretch=stretch)
        self._orientation = Orientation.turned(described.rotation_degrees, mirrored=described.mirrored)
        self._hidden: set[int] = set()
        self._packet: CodedPacket | None = None
        try:
            self._demuxer = Demuxer(ffmpeg_name(source.path), streams=self._stream.index)
            self._decoder = self._demuxer.streams[0].make_decoder(device)
        except (RuntimeError, ValueError) as error:
            self._container.close()
            raise refused(source.path, self.name, _reason(error)) from error

    def close(self) -> None:
        super().close()
        self._packet = None

    def _go_near(self, pts: int) -> None:
        """Its demuxer cannot be told where to go: all packets before are read by both, and not decoded."""

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """PyAV's packets; `_packet` is torchcodec's at the same place."""
        for packet in packets_of(self._container, self._stream, with_empty=True):
            self._packet = next(self._demuxer, None)
            if packet.size:
                yield packet

    def _decode(self, packet: Packet[VideoStream] | None) -> Sequence[RawPicture]:
        try:
            if packet is None:
                raws = self._decoder.drain()
            elif self._packet is None:
                raise refused(self._path, self.name, "its FFmpeg does not read the file as PyAV's does")
            else:
                if packet.is_discard and packet.pts is not None:
                    self._hidden.add(packet.pts)
                raws = self._decoder.decode(self._packet)
        except DecoderUnavailableError:
            raise
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "cuda" in str(error).lower():
                raise refused(self._path, self.name, _reason(error)) from error
            raise PacketError(_reason(error)) from error
        pictures = [RawPicture(self._pts(raw), raw) for raw in raws]
        return [picture for picture in pictures if picture.pts not in self._hidden]

    def _pts(self, raw: RawFrame) -> int | None:
        # Exact: seconds are a float64 of a stamp of far less than 53 bits.
        pts = round(Fraction(raw.pts_seconds) / self._time_base)
        return pts if abs(pts) < _NO_TIME else None

    def _pixels(self, picture: RawPicture) -> torch.Tensor:
        raw = picture.raw
        form = VideoFormat(raw.pixel_format)
        planes = raw.planes[: 1 if len(form.components) < 3 else 3]
        if form.is_rgb or form.has_palette:
            raise refused(self._path, self.name, f"its pixels are {form.name}")
        # Tags from PyAV: what torchcodec says of an untagged video is its own guess.
        context = self._stream.codec_context
        # Gray is full range to libswscale whatever its tag.
        always_full = (self._stream.pix_fmt or "").startswith(("yuvj", "gray"))
        on_top = form.name.startswith("p0")  # P010, P012, P016
        rgb = to_rgb(
            planes,
            matrix=int(context.colorspace),
            full_range=always_full or context.color_range == FULL_RANGE,
            bits=16 if on_top else raw.bit_depth,
            left=context.codec.canonical_name in LEFT_CHROMA,
        )
        width = display_width(raw.width, self._stream.sample_aspect_ratio)
        return displayed(rgb, self._orientation, width)


def _reason(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if text.startswith("Could not load libtorchcodec"):
        return f"it finds no FFmpeg libraries to load, or was not made for torch {torch.__version__}"
    return text[:200]
