"""What `--profile` records: seconds by worker and stage, and a Chrome trace of when they were.

The trace is the Trace Event Format that chrome://tracing and https://ui.perfetto.dev open: one process per
worker, one track per thread. It is written while the run goes on, so memory does not grow with its length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from aucli.inference.events import Event, StagesTimed
from aucli.inference.timing import Span
from aucli.sinks.atomic import atomic_file

STAGES = ("load", "decode", "detect", "refit", "track", "align", "network", "write")  # in their order


@dataclass(frozen=True)
class StageRow:
    """One stage of one worker over the whole run.

    waiting_seconds: for the stage before it or the one after it. Threads overlap, so the busy seconds of
    a worker may add up to more than its time.
    """

    worker: int
    device: str
    stage: str
    busy_seconds: float
    waiting_seconds: float
    share_busy: float  # of the worker's time from its first stage to its last; 1 for each video at a time


class Profile:
    """An event hook that keeps sums and writes spans into a file as they arrive."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._separator = b'{"displayTimeUnit": "ms", "traceEvents": [\n'
        self._threads: dict[tuple[int, str], int] = {}
        self._devices: dict[int, str] = {}
        self._busy: dict[tuple[int, str], float] = {}
        self._waiting: dict[tuple[int, str], float] = {}
        self._reach: dict[int, tuple[float, float]] = {}
        self._start_seconds: float | None = None

    def __call__(self, event: Event) -> None:
        if not isinstance(event, StagesTimed):
            return
        if event.worker not in self._devices:
            self._devices[event.worker] = event.device
            self._name("process_name", event.worker, 0, f"worker {event.worker}, {event.device}")
        for sums, more in ((self._busy, event.times.busy), (self._waiting, event.times.waiting)):
            for stage, seconds in more.items():
                sums[event.worker, stage] = sums.get((event.worker, stage), 0.0) + seconds
        for span in event.times.spans:
            self._add(event.worker, span)

    def _add(self, worker: int, span: Span) -> None:
        if self._start_seconds is None:
            self._start_seconds = span.start_seconds
        thread = self._threads.get((worker, span.thread))
        if thread is None:
            thread = self._threads[worker, span.thread] = len(self._threads) + 1
            self._name("thread_name", worker, thread, span.thread)
        first, last = self._reach.get(worker, (span.start_seconds, 0.0))
        end = span.start_seconds + span.seconds
        self._reach[worker] = min(first, span.start_seconds), max(last, end)
        self._write(
            {
                "ph": "X",
                "name": f"{span.stage} waits" if span.waiting else span.stage,
                "cat": "waiting" if span.waiting else "busy",
                "ts": round((span.start_seconds - self._start_seconds) * 1e6, 1),
                "dur": round(span.seconds * 1e6, 1),
                "pid": worker,
                "tid": thread,
            }
        )

    def _name(self, what: str, worker: int, thread: int, name: str) -> None:
        self._write({"ph": "M", "name": what, "pid": worker, "tid": thread, "args": {"name": name}})

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(self._separator + json.dumps(entry).encode())
        self._separator = b",\n"

    def finish(self) -> None:
        """The end of the file: the sums, and when the first span began in seconds since 1970."""
        other = {"start_seconds": self._start_seconds, "stages": [asdict(row) for row in self.rows]}
        opening = self._separator if self._separator.startswith(b"{") else b""
        self._file.write(opening + b'\n], "otherData": ' + json.dumps(other).encode() + b"}\n")

    @property
    def rows(self) -> tuple[StageRow, ...]:
        """By worker, stages in the order of the pipeline."""
        order = {stage: place for place, stage in enumerate(STAGES)}
        keys = {*self._busy, *self._waiting}
        return tuple(
            self._row(worker, stage)
            for worker, stage in sorted(keys, key=lambda key: (key[0], order.get(key[1], len(order)), key[1]))
        )

    def _row(self, worker: int, stage: str) -> StageRow:
        first, last = self._reach[worker]
        busy = self._busy.get((worker, stage), 0.0)
        return StageRow(
            worker,
            self._devices[worker],
            stage,
            round(busy, 6),
            round(self._waiting.get((worker, stage), 0.0), 6),
            round(busy / max(last - first, 1e-9), 4),
        )


@contextmanager
def recording(path: str | None) -> Iterator[Profile | None]:
    """A profile that is written to `path` when the block ends without an error; None without a path.

    Raises:
        OutputError: it cannot be written.
    """
    if path is None:
        yield None
        return
    with atomic_file(Path(path)) as file:
        profile = Profile(file)
        yield profile
        profile.finish()
