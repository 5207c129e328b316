"""Presentation times of decoded frames, strictly increasing whatever the container says."""

from __future__ import annotations

from collections import deque
from fractions import Fraction


class PresentationClock:
    """Gives each decoded frame its time stamp, in units of `time_base`.

    A frame's own PTS is believed if it lies between those of its neighbours: later than the one before, and
    not later than the next one, if that is later than the one before. Else it gets its DTS, if that fits, or
    is put one nominal frame interval after the one before, but before the next.

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

    def stamp(self, pts: int | None, dts: int | None, following: int | None = None) -> int:
        """The time stamp of the next frame; following: the PTS of the one after it."""
        if self._in_packet_order:
            pts, dts, following = self._waiting.popleft() if self._waiting else None, None, None
        if following is not None and not self._is_later(following):
            following = None  # itself one of the bad ones
        if pts is None or not self._is_later(pts) or (following is not None and pts > following):
            self.repaired += 1
            pts = self._repair(dts, following)
        self._last = pts
        return pts

    def _repair(self, dts: int | None, following: int | None) -> int:
        for guess in (dts, self._next()):
            if guess is not None and self._is_later(guess) and (following is None or guess < following):
                return guess
        assert following is not None  # else the second guess is taken
        return (
            following - self._interval
            if self._last is None
            else max(self._last + 1, (self._last + following) // 2)
        )

    def _is_later(self, stamp: int) -> bool:
        return self._last is None or stamp > self._last

    def _next(self) -> int:
        return 0 if self._last is None else self._last + self._interval
