"""One run's output on disk: parts of finished videos, resume, and the final file or files.

A video is finished in two steps, each a rename: its part (`KEY.parquet`), then its record
(`KEY.json`, its report entry). A part without a record was never finished. Whatever the moment of a
kill, the same command finds the records and goes on; the final file comes out the same.

After a finished run the parts are gone, and the final file with its report takes their place: a video
with the same key is read from there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.errors import UsageError
from aucli.media.names import cut_name
from aucli.plain_json import read_json
from aucli.sinks.atomic import TEMPORARY_SUFFIX, cannot_write, sync_folder, write_json
from aucli.sinks.identity import KEY_LENGTH
from aucli.sinks.lock import LOCK_NAME, lock_folder
from aucli.sinks.metadata import read_metadata
from aucli.sinks.parquet import parquet_file
from aucli.sinks.place import OutputPlace
from aucli.sinks.report import Report, ReportEntry
from aucli.sinks.spool import SPOOL_SUFFIX
from aucli.sinks.stretches import StretchReader

_MANIFEST = "manifest.json"
# Rewriting it at each of 100,000 short videos would cost more than they do, and every two seconds still much.
_MANIFEST_SECONDS = 2.0
_MANIFEST_SHARE = 0.02  # of the time, at most


@dataclass(frozen=True)
class PlannedInput:
    """An input of this run and the key of its part (see `part_key`)."""

    video: str
    path: str
    key: str


@dataclass(frozen=True)
class _Span:
    """Where the rows of one video lie: rows `start` to `start + rows` of a Parquet file."""

    file: Path
    start: int
    rows: int


class RunFolder:
    """The work folder of one run and the output that comes out of it; a context manager.

    describe: gives the final file's metadata for the entries whose rows it holds; must depend on
        nothing else that changes between a run and its resumption.
    fresh: forget what earlier runs of this output finished.

    Entering takes the lock and removes what a killed run left half-written. Leaving releases the
    lock; finished parts stay for the next run, unless `finish` was called.

    Raises (on entering and in all methods):
        OutputError: another run writes this output, or the disk is full or fails.
    """

    def __init__(
        self,
        place: OutputPlace,
        schema: pa.Schema,
        describe: Callable[[Sequence[ReportEntry]], Mapping[bytes, bytes]],
        *,
        fresh: bool = False,
    ) -> None:
        self.place = place
        self._schema = schema
        self._describe = describe
        self._fresh = fresh
        self._lock: BinaryIO | None = None
        self._files: dict[str, str] = {}  # key -> own file of the video, relative to the output folder
        self._planned: tuple[PlannedInput, ...] = ()
        self._states: dict[str, str] = {}
        self._manifest_due = 0.0
        self._entries: dict[str, ReportEntry] = {}  # finished, by key
        self._spans: dict[str, _Span] = {}
        self._changed = False  # whether there are rows or attempts since the last finished run
        self._reported: tuple[list[tuple[str, str, str]], Any] | None = None  # what that run's report says
        self._over = False

    def __enter__(self) -> Self:
        self._lock = lock_folder(self.place.work, self.place.path)
        try:
            self._remove_leftovers()
        except OSError as error:
            self._lock.close()
            raise cannot_write(self.place.work, error) from error
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._over and not any(_is_record(path) for path in self.place.work.glob("*.json")):
            self._remove_work()  # nothing to go on from
        if self._lock is not None:
            self._lock.close()

    def plan(self, inputs: Sequence[PlannedInput]) -> dict[str, ReportEntry]:
        """Name the inputs of this run, in order; returns the entries already finished, by key.

        Raises:
            UsageError: an input stands there twice.
        """
        twice = [key for key, count in Counter(planned.key for planned in inputs).items() if count > 1]
        if twice:
            name = next(planned.path for planned in inputs if planned.key == twice[0])
            raise UsageError(f"{name} is given twice with the same times and subject: give it once")
        self._planned = tuple(inputs)
        if not self.place.single_file:
            self._files = _file_names(inputs)
        keys = [planned.key for planned in inputs]
        if not self._fresh:
            self._find_finished(keys)
            self._find_records(keys)
        self._states = dict.fromkeys(keys, "planned") | dict.fromkeys(self._entries, "finished")
        self._write_manifest()
        return dict(self._entries)

    def spool_path(self, key: str) -> Path:
        """Where a worker spools the rows of the video with this key."""
        return self.place.work / f"{key}{SPOOL_SUFFIX}"

    def part_path(self, key: str) -> Path:
        """Where a worker leaves the finished part; it counts only after `commit`."""
        return self.place.work / f"{key}.parquet"

    def commit(self, entry: ReportEntry) -> ReportEntry:
        """Record that an input is done; returns the entry as it goes into the report.

        An entry with rows needs its part in place. One without rows (failed, nothing selected) is
        not recorded: the next run tries it again.
        """
        self._changed = True
        if entry.rows:
            part = self.part_path(entry.key)
            span = _Span(part, 0, entry.rows)
            if not self.place.single_file:
                entry = replace(entry, file=self._files[entry.key])
                span = self._publish(entry, span, self.place.path / self._files[entry.key])
                part.unlink(missing_ok=True)
            write_json(self.place.work / f"{entry.key}.json", entry.to_json())
            self._entries[entry.key], self._spans[entry.key] = entry, span
        self._states[entry.key] = entry.status
        if time.monotonic() >= self._manifest_due:
            self._write_manifest()
        return entry

    def adopt(self, entry: ReportEntry, file: Path, start: int) -> ReportEntry:
        """Take an input as done whose rows are in another finished output; returns its entry for the report.

        file: holds its rows, from row `start` on; read when all are merged.
        """
        self._changed = True
        entry, span = replace(entry, file=None), _Span(file, start, entry.rows)
        if not self.place.single_file:
            entry = replace(entry, file=self._files[entry.key])
            span = self._publish(entry, span, self.place.path / self._files[entry.key])
        self._entries[entry.key], self._spans[entry.key] = entry, span
        self._states[entry.key] = entry.status
        return entry

    def merge(self, entries: Sequence[ReportEntry], *, even_without_rows: bool = False) -> Path | None:
        """Bring the rows of `entries` into the final file in that order; returns the output's path.

        Parts are read one after the other, so memory does not grow with their number. A file that
        already holds exactly these rows is left as it is. None when no entry has rows: then there is
        no new file, and one of an earlier run with other options or inputs is not touched. With one
        file per video all is in place since `commit`.

        even_without_rows: write a file of no rows rather than none.
        """
        self._write_manifest()
        with_rows = [entry for entry in entries if entry.rows]
        if not with_rows and not (even_without_rows and self.place.single_file):
            return None
        if self.place.single_file and not (with_rows and self._holds_already(with_rows)):
            self._changed = True
            with parquet_file(
                self.place.path,
                self._schema,
                metadata=self._describe(with_rows),
                temporary_folder=self.place.work,
            ) as writer:
                for batch in self._rows_of(with_rows):
                    writer.write(batch)
        return self.place.path

    def finish(self, report: Report) -> None:
        """Write the report beside the output and remove the work folder: the run is over.

        When nothing was left to do, the earlier report stays, with the times of the real work.
        """
        value = report.to_json()
        if self._changed or (_outcomes(report.entries), value["shard"]) != self._reported:
            write_json(self.place.report, value, temporary_folder=self.place.work)
        self._remove_work()
        self._over = True

    # -- what earlier runs left ---------------------------------------------------------------

    def _find_finished(self, keys: Sequence[str]) -> None:
        """Entries of the last finished run whose rows are still where it left them."""
        try:
            report = read_json(self.place.report.read_bytes())
            entries = [ReportEntry.from_json(value) for value in report["entries"]]
        except (OSError, ValueError, KeyError, TypeError):
            return  # no report, or not one of ours: nothing can be reused
        self._reported = _outcomes(entries), report.get("shard")
        spans = _spans_in(self.place.path) if self.place.single_file else {}
        wanted = set(keys)
        for entry in entries:
            if entry.key not in wanted or not entry.rows:
                continue
            span = spans.get(entry.key) if entry.file is None else self._own_file(entry.key, entry.file)
            if span is not None and span.rows == entry.rows:
                self._entries[entry.key], self._spans[entry.key] = entry, span

    def _find_records(self, keys: Sequence[str]) -> None:
        """Entries that a killed run committed."""
        for key in keys:
            entry = None if key in self._entries else _read_entry(self.place.work / f"{key}.json")
            if entry is None:
                continue
            span = self._own_part(key) if entry.file is None else self._own_file(key, entry.file)
            if span is not None and span.rows == entry.rows:
                self._changed = True
                self._entries[key], self._spans[key] = entry, span

    def _own_part(self, key: str) -> _Span | None:
        try:
            return _Span(self.part_path(key), 0, int(pq.read_metadata(self.part_path(key)).num_rows))
        except (OSError, pa.ArrowInvalid):
            return None

    def _own_file(self, key: str, file: str) -> _Span | None:
        # By the key inside: a run with other options may have written a file of the same name since.
        return _spans_in(self.place.path / file).get(key) if file == self._files.get(key) else None

    def _holds_already(self, entries: Sequence[ReportEntry]) -> bool:
        if any(self._spans[entry.key].file != self.place.path for entry in entries):
            return False
        columns = pq.read_schema(self.place.path).remove_metadata()
        in_order = [entry.key for entry in entries] == list(_spans_in(self.place.path))
        return in_order and bool(columns == self._schema.remove_metadata())

    # -- rows ---------------------------------------------------------------------------------

    def _publish(self, entry: ReportEntry, span: _Span, path: Path) -> _Span:
        """Make the video's own file of its rows, with metadata."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path.parent, error) from error
        metadata = self._describe([entry])
        with parquet_file(path, self._schema, metadata=metadata, temporary_folder=self.place.work) as writer:
            for batch in self._rows_of([entry], {entry.key: span}):
                writer.write(batch)
        return _Span(path, 0, entry.rows)

    def _rows_of(
        self, entries: Sequence[ReportEntry], spans: Mapping[str, _Span] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of the entries, in this run's columns, reading each file in stretches."""
        with StretchReader() as reader:
            for span in _joined([(spans or self._spans)[entry.key] for entry in entries]):
                for batch in reader.read(span.file, span.start, span.start + span.rows):
                    yield self._conform(batch)

    def _conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with this run's columns: `subject` is there only when some input has one."""
        if "subject" in self._schema.names and "subject" not in batch.schema.names:
            batch = batch.append_column("subject", pa.nulls(batch.num_rows, pa.string()))
        return batch.select(self._schema.names)

    # -- the work folder ----------------------------------------------------------------------

    def _write_manifest(self) -> None:
        started = time.monotonic()
        write_json(
            self.place.work / _MANIFEST,
            {
                "output": str(self.place.path),
                "inputs": [
                    {"video": item.video, "path": item.path, "key": item.key, "state": self._states[item.key]}
                    for item in self._planned
                ],
            },
        )
        done = time.monotonic()
        self._manifest_due = done + max(_MANIFEST_SECONDS, (done - started) / _MANIFEST_SHARE)

    def _remove_leftovers(self) -> None:
        for path in sorted(self.place.work.iterdir()):
            unfinished = path.suffix == ".parquet" and not path.with_suffix(".json").exists()
            known = path.suffix in (".parquet", ".json")
            if path.suffix in (SPOOL_SUFFIX, TEMPORARY_SUFFIX) or unfinished or (self._fresh and known):
                path.unlink()

    def _remove_work(self) -> None:
        """Remove the work folder and all that a run puts there, but nothing that others did."""
        try:
            for path in sorted(self.place.work.iterdir()):
                if path.suffix in (".parquet", ".json", SPOOL_SUFFIX, TEMPORARY_SUFFIX):
                    path.unlink(missing_ok=True)
            (self.place.work / LOCK_NAME).unlink(missing_ok=True)
            self.place.work.rmdir()
            sync_folder(self.place.work.parent)
        except OSError:
            return  # somebody put something else there, or has removed it: there is nothing more to do


def _is_record(path: Path) -> bool:
    return path.name != _MANIFEST


def _outcomes(entries: Sequence[ReportEntry]) -> list[tuple[str, str, str]]:
    return [(entry.video, entry.key, entry.status) for entry in entries]


def _read_entry(path: Path) -> ReportEntry | None:
    try:
        return ReportEntry.from_json(read_json(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not finished, or damaged by a loss of power: done again


def _spans_in(path: Path) -> dict[str, _Span]:
    """Key -> where its rows lie, for all videos in a file that aucli finished; empty for another."""
    try:
        schema, rows_there = pq.read_schema(path), pq.read_metadata(path).num_rows
        videos = (read_metadata(schema) or {})["videos"]
        spans, start = {}, 0
        for video in videos:
            spans[str(video["key"])] = _Span(path, start, int(video["rows"]))
            start += int(video["rows"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return {}
    return spans if start == rows_there else {}


def _joined(spans: Sequence[_Span]) -> list[_Span]:
    """Spans with neighbours in one file joined, so that its row groups are read once."""
    joined: list[_Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last is not None and last.file == span.file and last.start + last.rows == span.start:
            joined[-1] = replace(last, rows=last.rows + span.rows)
        else:
            joined.append(span)
    return joined


def _file_names(inputs: Sequence[PlannedInput]) -> dict[str, str]:
    """Key -> name of the video's own file: its relative path with `.parquet` behind it.

    Two inputs of the same name get their keys into it, and so does one that is cut because with what is
    added it would be longer than a file system takes.
    """
    plain = {
        item.key: str(PurePath(*[part for part in PurePath(item.video).parts if part not in ("..", "/")]))
        for item in inputs
    }
    behind = KEY_LENGTH + len(f"-.parquet{TEMPORARY_SUFFIX}")
    short = {
        key: str(PurePath(*[cut_name(part, behind) for part in PurePath(name).parts]))
        for key, name in plain.items()
    }
    count = Counter(short.values())
    return {
        key: f"{name}-{key}.parquet" if count[name] > 1 or name != plain[key] else f"{name}.parquet"
        for key, name in short.items()
    }
