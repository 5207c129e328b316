"""The worker's side of a split video: one segment with what it knows at its ends, and the joining of all.

A segment begins some seconds before its rows do, so that by then it knows what it would know had it begun
with the video: which persons there are, where, how they move. It is not believed: the segment before goes on
until there, and both must have seen the same pictures and know the same. From there on all that follows is
the same by the pictures alone, whoever began where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from aucli.datatypes import DecodeSummary, Frame
from aucli.errors import SplitError
from aucli.faces.snapshot import Numbers, SnapshotLog, difference
from aucli.inference.pipeline import Window
from aucli.inference.tally import Tally
from aucli.inference.task import KnownAt, SegmentResult
from aucli.media.decode import Decoder
from aucli.media.segments import Meeting, Segment

BOX_TOLERANCE_PIXELS = 0.05
"""Between two runs of a detector on a GPU, whose batches may be cut differently. A CPU gives the same bits
whatever the batches."""


class CheckedDecoder(Decoder):
    """A decoder of a segment's stretch that notes what is to be compared with the neighbours."""

    def __init__(self, decoder: Decoder, segment: Segment) -> None:
        self._decoder = decoder
        self._hashes = {
            meeting: hashlib.blake2b(digest_size=16) for meeting in (segment.met, segment.meets) if meeting
        }
        self._first_name: str | None = None

    @property
    def name(self) -> str:
        return self._decoder.name

    @property
    def summary(self) -> DecodeSummary:
        return self._decoder.summary

    def frames(self) -> Iterator[Frame]:
        for frame in self._decoder.frames():
            self._first_name = self._first_name or self._decoder.name
            for meeting, pictures in self._hashes.items():
                if meeting.checked_from <= frame.index <= meeting.index:
                    pictures.update(np.ascontiguousarray(frame.pixels.cpu().numpy()).data)
            yield frame

    def close(self) -> None:
        self._decoder.close()

    def known_at(self, meeting: Meeting | None, log: SnapshotLog) -> KnownAt | None:
        """To be asked when all frames are done.

        Raises:
            SplitError: nothing was noted there.
        """
        if meeting is None:
            return None
        if meeting.index not in log.taken:
            raise SplitError(f"faces were not detected in frame {meeting.index}")
        return KnownAt(log.taken[meeting.index], self._hashes[meeting].digest())

    def check(self) -> None:
        """Whether one decoder gave all frames, and whole ones.

        Raises:
            SplitError: not so.
        """
        if self.name != self._first_name:
            raise SplitError(f"{self._first_name} gave up within a segment, and {self.name} went on")
        if self.summary.problem:
            raise SplitError(self.summary.problem)


def window_of_segment(segment: Segment) -> Window:
    """Frames that its network needs, and frames whose rows are its own."""
    first = segment.begin if segment.met is None else segment.met.index
    end = segment.end
    if segment.meets is not None and segment.meets.index < end:  # the network looks ahead
        end = segment.stretch.first_index + len(segment.stretch.pts)
    at = {meeting.index for meeting in (segment.met, segment.meets) if meeting}
    return Window(range(first, end), range(segment.begin, segment.end), SnapshotLog(at))


def join(
    segments: Sequence[SegmentResult], au_names: tuple[str, ...], *, exact: bool
) -> tuple[list[dict[int, int]], Tally, DecodeSummary]:
    """For each segment the video's number of each of its tracks; what the whole video's rows sum up to; what
    was seen by the decoder.

    exact: whether detectors give the same bits.

    Raises:
        SplitError: two segments do not fit together, with the reason.
    """
    tally, numbers, found = Tally(au_names), Numbers.of_first(), []
    before: SegmentResult | None = None
    for result in segments:
        if before is not None:
            numbers = _go_on(numbers, before, result, exact=exact)
        try:
            found.append({number: numbers[number] for number in result.tally.numbers})
        except KeyError as error:
            raise SplitError(f"track {error} of segment {result.segment.number + 1} is not known") from error
        tally.go_on(result.tally, found[-1])
        before = result
    decoders = dict.fromkeys(result.summary.decoder for result in segments)
    if len(decoders) > 1:
        raise SplitError(f"its segments were decoded by {' and '.join(decoders)}")
    if not all(result.spool_path.exists() for result in segments):
        raise SplitError("rows of a segment are gone")
    notes = dict.fromkeys(note for result in segments for note in result.summary.notes)
    return found, tally, DecodeSummary(next(iter(decoders)), notes=tuple(notes))


def _go_on(numbers: Numbers, before: SegmentResult, after: SegmentResult, *, exact: bool) -> Numbers:
    where = f"segments {after.segment.number} and {after.segment.number + 1}"
    assert before.meets is not None
    assert after.met is not None
    if before.meets.pictures != after.met.pictures:
        raise SplitError(f"{where} decoded different pictures of the same frames")
    apart = difference(
        before.meets.snapshot, after.met.snapshot, box_tolerance=0.0 if exact else BOX_TOLERANCE_PIXELS
    )
    if apart is not None:
        raise SplitError(f"{where} do not agree at frame {after.met.snapshot.index}: {apart}")
    return Numbers.continuing(numbers.renamed(before.meets.snapshot), after.met.snapshot)
