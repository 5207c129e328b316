"""What all decoders share that are fed packet by packet: the tolerant loop, the times, the end of the file.

Made here rather than by `container.decode`, which stops at the first damaged packet: packets are fed one
by one and those that fail are counted. Interlaced pictures are taken as they are, without deinterlacing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import ClassVar, Generic, Protocol, TypeVar

import av
import torch
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.stream import VideoStream

from aucli.datatypes import DecodeSummary, Frame, Selection, Source, counted
from aucli.errors import AucliError, MediaError, SplitError
from aucli.media.container import open_video, packets_of, videos_in
from aucli.media.decode.choose import FrameChooser
from aucli.media.decode.clock import PresentationClock
from aucli.media.decode.protocol import Decoder
from aucli.media.probe import HDR_TRANSFERS
from aucli.media.stretch import Stretch
from aucli.media.truncation import missing_bytes

# In MP4 and MOV one sample is one picture, so their numbers can be compared. Elsewhere a packet may be one
# field of an interlaced picture, or a picture that is never shown.
SAMPLE_IS_PICTURE = "mov,mp4,m4a,3gp,3g2,mj2"

_FLAT = "HDR (PQ), read without tone mapping: faces look flat, and results may suffer"


class Picture(Protocol):
    """A decoded picture, wherever its pixels lie; times in units of the stream's time base."""

    @property
    def pts(self) -> int | None: ...
    @property
    def dts(self) -> int | None: ...
    @property
    def is_corrupt(self) -> bool: ...


AnyPicture = TypeVar("AnyPicture", bound=Picture)


class PacketError(Exception):
    """The decoder refused a packet; its text says why. The next one may be fine."""


class PacketDecoder(Decoder, ABC, Generic[AnyPicture]):
    """See `aucli.media.decode.protocol.Decoder`. PyAV reads the file; a subclass decodes its packets.

    stretch: decode these pictures only, whose plan already has the selection in it. Anything that is not as
        planned, damage too, ends `frames` with a SplitError.

    Raises:
        MediaError: the file cannot be opened as a video.
        SplitError: the stretch cannot be reached.
    """

    name: ClassVar[str]

    def __init__(
        self,
        source: Source,
        selection: Selection,
        hwaccel: HWAccel | None = None,
        *,
        stretch: Stretch | None = None,
    ) -> None:
        self._path = source.path
        self._container, self._stream = open_video(source.path, hwaccel)
        self._format = self._container.format.name
        self._time_base = self._stream.time_base or Fraction(1, av.time_base)
        self._clock = PresentationClock(
            self._time_base,
            self._stream.average_rate or self._stream.guessed_rate,
            in_packet_order=self._format == "avi",
        )
        self._chooser = FrameChooser(selection)
        self._frames_from_header = self._stream.frames or None
        self._frames_decoded = 0
        self._frames_given = 0
        self._pictures_failed = 0
        self._packets_shown = 0
        self._packets_failed = 0
        self._packets_corrupt = 0
        self._frames_corrupt = 0
        self._first_failure: str | None = None
        self._reading_failed: str | None = None
        self._stopped_early: str | None = None
        self._notes: list[str] = []
        others = len(videos_in(self._container)) - 1
        if others:
            self._notes.append(
                f"the file has {counted(others, 'more video stream')}; this is stream {self._stream.index}"
            )
        self._stretch = stretch
        self._first_packet = None if stretch is None or not stretch.first_index else int(stretch.pts[0])
        if self._first_packet is not None:
            self._go_near(self._first_packet)

    @abstractmethod
    def _decode(self, packet: Packet[VideoStream] | None) -> Sequence[AnyPicture]:
        """The pictures that are ready after this packet; None for what is held back at the end.

        Raises:
            PacketError: nothing can be made of this packet.
        """

    @abstractmethod
    def _pixels(self, picture: AnyPicture) -> torch.Tensor:
        """uint8 (height, width, 3), RGB, upright, square pixels, contiguous, owned by the tensor.

        Raises:
            OSError, ValueError: this picture cannot be converted; the next one may be fine.
        """

    @property
    def summary(self) -> DecodeSummary:
        return DecodeSummary(
            decoder=self.name,
            frames_decoded=self._frames_decoded,
            frames_from_header=self._frames_from_header,
            packets_failed=self._packets_failed,
            # A transport stream marks the packet, a codec the frame: often both mean the same one.
            frames_corrupt=max(self._frames_corrupt, self._packets_corrupt),
            stopped_early=self._stopped_early,
            notes=tuple(self._notes),
        )

    def frames(self) -> Iterator[Frame]:
        if self._stretch is not None:
            yield from self._frames_of(self._stretch)
            return
        for picture, following in _with_next(self._pictures()):
            pts = self._clock.stamp(picture.pts, picture.dts, None if following is None else following.pts)
            index = self._frames_decoded
            self._frames_decoded += 1
            if index == 0:
                self._note_flat_pictures()
            self._frames_corrupt += picture.is_corrupt
            decision = self._chooser.decide(pts * self._time_base)
            if decision == "stop":
                break
            if decision == "take":
                try:
                    pixels = self._pixels(picture)
                except AucliError:  # not the picture but the decoder: DecoderUnavailableError is a ValueError
                    raise
                except (OSError, ValueError) as error:  # av.error.FFmpegError is the fitting one of these
                    self._packets_failed += 1
                    self._pictures_failed += 1
                    self._first_failure = self._first_failure or str(error)
                    continue  # its number stays free: a frame has the same one under any selection
                yield Frame(index, pts, self._time_base, pixels)
                self._frames_given += 1
        else:
            self._judge_end()
        if self._clock.repaired and self._format != "avi":
            self._notes.append(
                f"{counted(self._clock.repaired, 'frame')} had no usable time stamp; interpolated instead"
            )
        if self._chooser.note:
            self._notes.append(self._chooser.note)

    def close(self) -> None:
        self._container.close()

    def _note_flat_pictures(self) -> None:
        if HDR_TRANSFERS.get(int(self._stream.codec_context.color_trc)) == "pq":
            self._notes.append(_FLAT)

    def _frames_of(self, stretch: Stretch) -> Iterator[Frame]:
        """The chosen pictures of a stretch; all of its pictures must come, and be whole."""
        done, planned = 0, stretch.pts.tolist()
        for picture in self._pictures():
            if not done and picture.pts is not None and picture.pts < planned[0]:
                continue  # shown before the key frame, and made from what was not decoded
            index = stretch.first_index + done
            if done == len(planned):
                raise SplitError(f"it has more than the {index} frames that its packets promise")
            if picture.pts != planned[done]:
                raise SplitError(f"frame {index} came with time stamp {picture.pts}, not {planned[done]}")
            if picture.is_corrupt or self._packets_failed or self._packets_corrupt:
                raise SplitError(f"damage at frame {index}")
            done += 1
            self._frames_decoded += 1
            if index == 0:
                self._note_flat_pictures()
            if stretch.chosen[done - 1]:
                try:
                    pixels = self._pixels(picture)
                except AucliError:
                    raise
                except (OSError, ValueError) as error:
                    raise SplitError(f"frame {index} cannot be converted ({error})") from error
                yield Frame(index, planned[done - 1], self._time_base, pixels)
                self._frames_given += 1
            if done == len(planned) and not stretch.to_the_end:
                return
        if done < len(planned):
            raise SplitError(f"frame {stretch.first_index + done} did not come")
        self._stopped_early = self._reading_failed or self._first_failure
        if self._stopped_early or self._packets_failed or self._packets_corrupt:
            raise SplitError(f"damage at the end of the file ({self._stopped_early or 'a packet'})")

    def _go_near(self, pts: int) -> None:
        """Read on from this key frame, or from one before it."""
        try:
            self._container.seek(pts, stream=self._stream)
        except av.error.FFmpegError as error:
            self._container.close()
            raise SplitError(f"the key frame at time stamp {pts} cannot be found ({error})") from error

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        return packets_of(self._container, self._stream)

    def _pictures(self) -> Iterator[AnyPicture]:
        """All pictures in order of presentation, past damaged packets, to the end of what can be read."""
        packets = self._packets()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.error.FFmpegError as error:
                self._reading_failed = error.strerror
                break
            if self._first_packet is not None:
                if packet.pts != self._first_packet or not packet.is_keyframe:
                    continue
                self._first_packet = None
            try:
                pictures = self._decode(packet)
            except PacketError as error:
                self._packets_failed += 1
                self._first_failure = self._first_failure or str(error)
                continue
            self._clock.packet_sent(packet.dts)
            self._packets_shown += not packet.is_discard
            self._packets_corrupt += packet.is_corrupt
            yield from pictures
        try:
            held_back = self._decode(None)
        except PacketError as error:
            self._first_failure = self._first_failure or str(error)
            return
        yield from held_back

    def _judge_end(self) -> None:
        """Was that the whole video? Says why not; raises if there was no picture at all."""
        frames = self._frames_decoded
        if self._reading_failed:
            self._stopped_early = f"reading stopped after {counted(frames, 'frame')} ({self._reading_failed})"
        missing = missing_bytes(self._path)
        if missing and not self._frames_from_header:
            self._stopped_early = f"the file is cut off: at least {missing:,} bytes are missing at its end"
        elif missing and self._frames_from_header and frames < self._frames_from_header:
            self._stopped_early = (
                f"the file is cut off: it ends after {frames} of {self._frames_from_header} frames"
            )
        lost = self._packets_shown - frames
        if not self._stopped_early and self._format == SAMPLE_IS_PICTURE and lost > max(10, frames // 20):
            self._stopped_early = f"{lost} of {self._packets_shown} frames could not be decoded"
        if not frames or (self._pictures_failed and not self._frames_given):
            why = self._stopped_early or self._first_failure or "its video stream is empty"
            raise MediaError(f"{self._path}: no picture can be decoded ({why})")


def _with_next(pictures: Iterator[AnyPicture]) -> Iterator[tuple[AnyPicture, AnyPicture | None]]:
    """Each picture with the one after it, which tells whether its time stamp can be right."""
    picture = next(pictures, None)
    while picture is not None:
        following = next(pictures, None)
        yield picture, following
        picture = following
