"""Presentation times of decoded frames, strictly increasing whatever the container says."""

from __future__ import annotations

from collections import deque
from fractions import Fraction


class PresentationClock:
    """Gives each decoded frame its time stamp, in units of `time_base`.

    A frame's own PTS is believed if it is later than the one before; else its DTS; else the frame is put
    one nominal frame interval after the one before.

    AVI stores no presentation times: chunk k is shown k intervals after the start, and FFmpeg's guesses
    are off by the decoder's delay and out of order where there are B-frames. With `in_packet_order` the
    frames, which come out in order, take the packets' DTS one after the other.
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction | None, *, in_packet_order: bool) -> None:
        self._interval = max(1, round(1 / ((frame_rate or 25) * time_base)))
        self._in_packet_order = in_packet_order
        self._waiting: deque[int] = deque()
        self._last: int | None = None
        self.repaired = 0  # frames whose own PTS was missing or not later than the one before

    def packet_sent(self, dts: int | None) -> None:
        """To be called for each packet that the decoder took."""
        if self._in_packet_order and dts is not None:
            self._waiting.append(dts)

    def stamp(self, pts: int | None, dts: int | None) -> int:
        """The time stamp of the next frame."""
        if self._in_packet_order:
            pts, dts = self._waiting.popleft() if self._waiting else None, None
        if pts is None or not self._is_later(pts):
            self.repaired += 1
            pts = dts if dts is not None and self._is_later(dts) else self._next()
        self._last = pts
        return pts

    def _is_later(self, stamp: int) -> bool:
        return self._last is None or stamp > self._last

    def _next(self) -> int:
        return 0 if self._last is None else self._last + self._interval
