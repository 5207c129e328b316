"""What is known of persons at one frame, and whether two who came there by different ways know the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

VELOCITY_TOLERANCE = 1e-6
"""Pixels per second. A velocity forgets where it began, but not always to the last bit; over the longest
prediction (0.3 s) this moves a box by less than a millionth of a pixel."""


@dataclass(frozen=True)
class KnownPerson:
    """One of the tracks that may go on. box: centre x, centre y, width, height in pixels. velocity: of the
    centre, pixels per second.
    """

    number: int
    box: tuple[float, ...]
    seen_seconds: float
    velocity: tuple[float, ...]


@dataclass(frozen=True)
class Snapshot:
    """After the faces of frame `index` are known. persons: in the tracker's order. next_number: of the next
    person who is new. scene: what cuts are told by, as bytes.

    All that the faces of later frames depend on, but for those frames themselves, and the numbers only by
    their order.
    """

    index: int
    persons: tuple[KnownPerson, ...]
    next_number: int
    scene: bytes = field(repr=False)


@dataclass
class SnapshotLog:
    """Snapshots that `find_faces` takes. at: indices of detected frames, of others none is taken."""

    at: Collection[int]
    taken: dict[int, Snapshot] = field(default_factory=dict)
    scenes: dict[int, bytes] = field(default_factory=dict)


def difference(one: Snapshot, other: Snapshot, *, box_tolerance: float = 0.0) -> str | None:
    """In words what the two, of the same frame, do not agree on; None where they agree. Numbers may differ.

    box_tolerance: in pixels, for devices that do not compute the same to the last bit.
    """
    if one.scene != other.scene:
        return "they saw different pictures before"
    if len(one.persons) != len(other.persons):
        return f"{len(one.persons)} and {len(other.persons)} persons are known"
    for mine, theirs in zip(one.persons, other.persons, strict=True):
        if mine.seen_seconds != theirs.seen_seconds:
            return f"a person was last seen at {mine.seen_seconds:.3f} and {theirs.seen_seconds:.3f} s"
        if np.abs(np.subtract(mine.box, theirs.box)).max() > box_tolerance:
            return "a person is not in the same place"
        # A box that is off by a rounding moves the velocity by that in a frame's time.
        if (
            np.abs(np.subtract(mine.velocity, theirs.velocity)).max()
            > VELOCITY_TOLERANCE + 100 * box_tolerance
        ):
            return "a person does not move at the same speed"
    return None


@dataclass(frozen=True)
class Numbers:
    """The numbers of a segment's tracks in the whole video; their order is the same.

    known: of those who were known when it met the segment before. From `first_new` on they are new, and count
    on from the other's: `shift` is added.
    """

    known: Mapping[int, int]
    first_new: int
    shift: int

    @classmethod
    def of_first(cls) -> Numbers:
        """A video's first segment has the video's numbers."""
        return cls({}, 0, 0)

    @classmethod
    def continuing(cls, before: Snapshot, after: Snapshot) -> Numbers:
        """before: with the numbers of the whole video; after: the segment's own, at the same frame. The two
        agree, see `difference`.
        """
        known = {own.number: whole.number for whole, own in zip(before.persons, after.persons, strict=True)}
        return cls(known, after.next_number, before.next_number - after.next_number)

    def __getitem__(self, number: int) -> int:
        """Raises KeyError for a track that ended before the two met."""
        return number + self.shift if number >= self.first_new else self.known[number]

    def renamed(self, snapshot: Snapshot) -> Snapshot:
        """A later snapshot of the segment, with the numbers of the whole video."""
        persons = tuple(replace(person, number=self[person.number]) for person in snapshot.persons)
        return replace(snapshot, persons=persons, next_number=snapshot.next_number + self.shift)
