"""What every decoder does."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from aucli.datatypes import DecodeSummary, Frame


class Decoder(Protocol):
    """One open file, closed at the end of a `with`. Not thread-safe: used by one thread at a time, though not
    always the same one.
    """

    @property
    def name(self) -> str:
        """The backend, as `--decoder` calls it."""

    @property
    def summary(self) -> DecodeSummary:
        """What was seen so far; complete once `frames` is exhausted."""

    def frames(self) -> Iterator[Frame]:
        """The selected frames in the order of presentation, decoded as they are asked for; once.

        Frame.index counts all decoded frames of the file from 0, so a frame has the same index under
        any selection; times are strictly increasing. Each frame owns its pixels.

        Raises:
            MediaError: the file gives no picture at all.
        """

    def close(self) -> None:
        """Let go of the file; harmless when done twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
