"""Decoding on the CPU with decord 0.6, on request only.

Its last release is of 2021. It is right on MP4/MOV and Matroska/WebM with the usual codecs; on other
files it silently gives other pictures, other times or none, and those are refused here. It knows times
only from the first frame on and in single precision, so the exact ones are read with PyAV from the
packets, which are not decoded for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import torch

from aucli.datatypes import DecodeSummary, Frame, Selection, Source
from aucli.errors import DecoderUnavailableError, MediaError
from aucli.media.container import open_video, packets_of
from aucli.media.decode.choose import FrameChooser
from aucli.media.decode.protocol import Decoder
from aucli.media.probe import VideoProbe, probe
from aucli.media.truncation import missing_bytes

try:
    import decord
except (ImportError, OSError) as error:
    # OSError: its library does not load on this system.
    raise DecoderUnavailableError(
        f"--decoder decord: decord cannot be loaded here ({error}); it exists for Linux and Windows on "
        "x86-64 only (pip install decord). Without it: --decoder pyav"
    ) from error

CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
CODECS = ("h264", "hevc", "vp8", "vp9", "mpeg4", "mjpeg", "ffv1", "prores")


class DecordDecoder(Decoder):
    """See `aucli.media.decode.protocol.Decoder`.

    Raises:
        MediaError: the file cannot be opened as a video, by PyAV either.
        DecoderUnavailableError: a kind of file on which decord is wrong.
    """

    name = "decord"

    def __init__(self, source: Source, selection: Selection) -> None:
        self._path = source.path
        description = probe(source)
        self._refuse_if(_weakness(description))
        self._frames_from_header = description.frames_from_header
        self._time_base = description.time_base
        self._times, hidden = _packet_times(source)
        if hidden:
            self._refuse_if(f"an edit list hides {hidden} frames, which decord shows")
        if len(set(self._times)) < len(self._times):
            self._refuse_if("two of its frames have the same time stamp")
        decord.logging.set_level(decord.logging.QUIET)  # else it writes to the terminal by itself
        try:
            self._reader: Any = decord.VideoReader(str(source.path), num_threads=1)
        except decord.DECORDError as error:
            self._refuse_if(f"decord cannot open it ({_first_line(error)})")
        if len(self._reader) != len(self._times):
            self._refuse_if(f"decord sees {len(self._reader)} frames where the file has {len(self._times)}")
        self._chooser = FrameChooser(selection)
        self._frames_decoded = 0
        self._stopped_early: str | None = None
        self._note: str | None = None

    @property
    def summary(self) -> DecodeSummary:
        return DecodeSummary(
            decoder=self.name,
            frames_decoded=self._frames_decoded,
            frames_from_header=self._frames_from_header,
            stopped_early=self._stopped_early,
            notes=(self._note,) if self._note else (),
        )

    def frames(self) -> Iterator[Frame]:
        for index, pts in enumerate(self._times):
            decision = self._chooser.decide(pts * self._time_base)
            if decision == "stop":
                break
            try:
                # In turn, also those not taken: it is fastest so, and jumps are where it goes wrong.
                picture = self._reader[index].asnumpy()
            except decord.DECORDError as error:
                self._stopped_early = (
                    f"decord stopped after {index} of {len(self._times)} frames ({_first_line(error)}); "
                    "--decoder pyav may read on"
                )
                break
            self._frames_decoded += 1
            if decision == "take":
                yield Frame(index, pts, self._time_base, torch.from_numpy(picture))
        else:
            missing = missing_bytes(self._path)
            if missing:
                self._stopped_early = (
                    f"the file is cut off: at least {missing:,} bytes are missing at its end"
                )
        self._note = self._chooser.note
        if self._stopped_early and not self._frames_decoded:
            raise MediaError(f"{self._path}: no picture can be decoded ({self._stopped_early})")

    def close(self) -> None:
        self._reader = None

    def _refuse_if(self, reason: str | None) -> None:
        if reason:
            raise DecoderUnavailableError(f"{self._path}: not with decord: {reason}. Take --decoder pyav")


def _weakness(described: VideoProbe) -> str | None:
    """Why decord must not be trusted with such a file, None where it may."""
    if described.container not in CONTAINERS:
        return f"it is wrong on {described.container} files"
    if described.codec not in CODECS:
        return f"it does not know the codec {described.codec} well enough"
    if described.mirrored:
        return "it does not mirror the picture as the file asks"
    if described.sample_aspect_ratio != 1:
        return f"it ignores that pixels are not square ({described.sample_aspect_ratio})"
    return None


def _packet_times(source: Source) -> tuple[list[int], int]:
    """PTS of all shown frames in their order, and the number of frames that an edit list hides."""
    times: list[int] = []
    hidden = 0
    container, stream = open_video(source.path)
    with container:
        try:
            for packet in packets_of(container, stream):
                if packet.is_discard:
                    hidden += 1
                elif packet.pts is not None:
                    times.append(packet.pts)
        except av.error.FFmpegError:
            pass  # the file ends here; decord finds the same
    return sorted(times), hidden


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:160]
