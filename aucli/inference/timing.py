"""How long each stage of the pipeline works and waits, in whatever thread, where somebody asks for it.

A stage waits when the queue before it is empty or the one after it is full. Nobody asks unless with
`--profile`: then `StageTimer` takes the place of `UNTIMED`, which reads no clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

Item = TypeVar("Item")

MERGE_SECONDS = 1e-3  # a stage that goes on within this time is drawn as one stretch


@dataclass(frozen=True)
class Span:
    """One stretch of a stage in one thread; start_seconds: since 1970, so that machines can be compared."""

    stage: str
    thread: str
    start_seconds: float
    seconds: float
    waiting: bool


@dataclass(frozen=True)
class StageTimes:
    """Seconds by stage, and when they were. Sums are exact; spans of one stage that follow each other within
    `MERGE_SECONDS` are one.
    """

    busy: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()


class Timer(Protocol):
    """`timer("detect")` is a context manager around work of that stage, or around a wait of it."""

    def __call__(self, stage: str, *, waiting: bool = False) -> AbstractContextManager[object]: ...

    def each(self, stage: str, items: Iterable[Item]) -> Generator[Item, None, None]:
        """The same items; what it takes to produce each is work of the stage."""
        ...


class _Untimed:
    """Nothing is timed."""

    _nothing = nullcontext()

    def __call__(self, stage: str, *, waiting: bool = False) -> AbstractContextManager[object]:
        return self._nothing

    def each(self, stage: str, items: Iterable[Item]) -> Generator[Item, None, None]:
        yield from items


UNTIMED: Timer = _Untimed()


class StageTimer:
    """Sums seconds by stage, from any number of threads.

    synchronise: waits for what this thread has given a GPU to do. It is called before and after each piece
        of work, so that a stage is charged with its own kernels; this costs speed.
    """

    def __init__(self, synchronise: Callable[[], object] | None = None) -> None:
        self._synchronise = synchronise or (lambda: None)
        self._epoch = time.time() - time.perf_counter()
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._sums: tuple[dict[str, float], dict[str, float]] = ({}, {})
        self._spans: list[Span] = []
        self._last: dict[int, int] = {}  # thread to its newest span

    @contextmanager
    def __call__(self, stage: str, *, waiting: bool = False) -> Iterator[None]:
        if not waiting:
            self._synchronise()
        start = time.perf_counter()
        try:
            yield
        finally:
            if not waiting:
                self._synchronise()
            self._add(stage, start, time.perf_counter(), waiting)

    def each(self, stage: str, items: Iterable[Item]) -> Generator[Item, None, None]:
        iterator = iter(items)
        try:
            while True:
                with self(stage):
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                yield item
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _add(self, stage: str, start: float, end: float, waiting: bool) -> None:
        thread, ident = threading.current_thread().name, threading.get_ident()
        begin = start + self._epoch
        with self._lock:
            sums = self._sums[waiting]
            sums[stage] = sums.get(stage, 0.0) + end - start
            newest = self._last.get(ident)
            if newest is not None:
                last = self._spans[newest]
                gap = begin - last.start_seconds - last.seconds
                if (last.stage, last.waiting) == (stage, waiting) and gap < MERGE_SECONDS:
                    whole = end + self._epoch - last.start_seconds
                    self._spans[newest] = Span(stage, thread, last.start_seconds, whole, waiting)
                    return
            self._last[ident] = len(self._spans)
            self._spans.append(Span(stage, thread, begin, end - start, waiting))

    def take(self) -> StageTimes:
        """What was timed since the last call."""
        with self._lock:
            taken = StageTimes(*self._sums, tuple(self._spans))
            self._clear()
            return taken
