"""A whole run: inputs to Parquet and a report. Imports no torch: the workers do that."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
import time
import weakref
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.errors import AucliError
from aucli.faces.valid import VALID_RULE
from aucli.inference.clip_mode import check_clip_mode
from aucli.inference.devices import WorkerPlan, plan_workers, resolve_device, resolve_precision
from aucli.inference.events import Event, EventHook, RunStarted, VideoFinished
from aucli.inference.on_devices import run_on_devices
from aucli.inference.supervisor import Task, TaskFailure
from aucli.inference.task import VideoTask
from aucli.media.discover import Discovery, discover
from aucli.sinks.identity import content_identity, input_identity, part_key
from aucli.sinks.metadata import output_metadata
from aucli.sinks.place import OutputPlace, output_place
from aucli.sinks.report import EXIT_SOME_FAILED, Report, ReportEntry, exit_code
from aucli.sinks.run_folder import PlannedInput, RunFolder
from aucli.sinks.schema import output_schema
from aucli.zoo.card import Card
from aucli.zoo.catalogue import find

PACKAGES = ("torch", "timm", "av", "decord", "facenet-pytorch", "insightface", "numpy", "scipy", "pyarrow")


class StoppedAtFailureError(AucliError):
    """--fail-fast met an input that failed or was not whole."""

    exit_code = EXIT_SOME_FAILED


@dataclass(frozen=True)
class ExtractPlan:
    """A run before it runs: its inputs in order, what is refused, where it writes, on which devices."""

    sources: tuple[Source, ...]
    rejected: tuple[ReportEntry, ...]
    place: OutputPlace
    card: Card
    workers: tuple[WorkerPlan, ...]


@dataclass(frozen=True)
class ExtractResult:
    """What a run leaves behind.

    report: one entry per input. output: the Parquet file or folder, None when nothing usable came out.
    """

    report: Report
    output: Path | None

    @property
    def exit_code(self) -> int:
        return exit_code(self.report.entries)

    @cached_property
    def table(self) -> pa.Table:
        """All rows in memory; empty when nothing usable came out."""
        return pa.table({}) if self.output is None else self.dataset.to_table()

    @property
    def dataset(self) -> pyarrow.dataset.Dataset:
        """The rows on disk, for more than memory holds."""
        return pyarrow.dataset.dataset(self.output, format="parquet", exclude_invalid_files=True)


def plan_extract(inputs: Sequence[str | Path], output: str | Path, config: ExtractConfig) -> ExtractPlan:
    """Check everything that can be checked before any video is opened; writes nothing.

    Raises:
        UsageError: no input, an unknown model, an output that cannot be, a device that is not there.
    """
    card = find(config.model).card
    check_clip_mode(config.clips, card)
    found: Discovery = discover(inputs)
    place = output_place(output, [*(source.path for source in found.sources), *_existing(inputs)])
    devices = resolve_device(config.device)
    for device in devices:
        resolve_precision(config.precision, device)
    workers = plan_workers(devices, config.jobs, len(found.sources))
    rejected = tuple(
        ReportEntry(item.name, str(item.path), item.status, reason=item.reason) for item in found.rejected
    )
    return ExtractPlan(found.sources, rejected, place, card, tuple(workers))


def _existing(inputs: Sequence[str | Path]) -> list[Path]:
    return [path for path in map(Path, inputs) if path.exists()]


def run_extract(
    inputs: Sequence[str | Path],
    output: str | Path | None,
    config: ExtractConfig,
    *,
    fresh: bool = False,
    fail_fast: bool = False,
    command_line: Sequence[str] = (),
    on_event: EventHook | None = None,
) -> ExtractResult:
    """Every face in every selected frame of the inputs, as rows in `output`.

    output: a .parquet file or a folder; None for a temporary file that lives as long as the result.
    fresh: forget what earlier runs of the same output finished. fail_fast: stop at the first input that
    fails or is not whole. on_event: told what happens, see `events`.

    Raises:
        UsageError: see `plan_extract`; nothing was run.
        OutputError: the output cannot be written or another run is writing it.
        StoppedAtFailureError: with `fail_fast`. Finished videos are kept for the next run.
    """
    temporary = Path(tempfile.mkdtemp(prefix="aucli-")) if output is None else None
    place = output if temporary is None else temporary / "out.parquet"
    assert place is not None  # one of the two
    try:
        plan = plan_extract(inputs, place, config)
        result = _Run(plan, config, command_line, on_event or _ignore).run(fresh=fresh, fail_fast=fail_fast)
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if temporary is not None:
        weakref.finalize(result, shutil.rmtree, temporary, ignore_errors=True)
    return result


def _ignore(_event: Event) -> None:
    pass


class _Run:
    """One run of a plan."""

    def __init__(
        self, plan: ExtractPlan, config: ExtractConfig, command_line: Sequence[str], on_event: EventHook
    ) -> None:
        self.plan = plan
        self.config = config
        self.command_line = tuple(command_line) or None
        self.on_event = on_event
        self.devices = tuple(dict.fromkeys(worker.device for worker in plan.workers))
        self.precision = resolve_precision(config.precision, self.devices[0])
        self.identities: dict[str, Mapping[str, Any]] = {}
        self.schema = output_schema(
            plan.card.au_names,
            intensity_aus=plan.card.intensity_aus,
            with_subject=any(source.subject is not None for source in plan.sources),
        )

    def run(self, *, fresh: bool, fail_fast: bool) -> ExtractResult:
        started, clock = datetime.now(UTC), time.perf_counter()
        with RunFolder(self.plan.place, self.schema, self._describe, fresh=fresh) as folder:
            keys, failed = self._keys()
            planned = [
                PlannedInput(source.name, str(source.path), key)
                for source, key in zip(self.plan.sources, keys, strict=True)
                if key
            ]
            entries = {**failed, **folder.plan(planned)}
            reused = sum(key in entries for key in keys if key)
            self.on_event(
                RunStarted(len(keys) + len(self.plan.rejected), reused, self.plan.card.name, self.devices)
            )
            for entry in (*self.plan.rejected, *failed.values()):
                self._settle(entry, fail_fast)
            todo = [
                (source, key)
                for source, key in zip(self.plan.sources, keys, strict=True)
                if key and key not in entries
            ]
            with closing(self._process(todo, folder)) as finished:
                for entry in finished:
                    entries[entry.key] = folder.commit(entry)
                    self._settle(entries[entry.key], fail_fast)
            ordered = [
                entries[key or source.name] for source, key in zip(self.plan.sources, keys, strict=True)
            ]
            output = folder.merge(ordered)
            report = Report(
                entries=(*ordered, *self.plan.rejected),
                output=None if output is None else str(output),
                command_line=self.command_line,
                started=started.isoformat(timespec="seconds"),
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                wall_seconds=round(time.perf_counter() - clock, 3),
                machine=self._machine() | {"host": platform.node(), "workers": len(self.plan.workers)},
                versions=_versions(),
            )
            folder.finish(report)
        return ExtractResult(report, output)

    def _keys(self) -> tuple[list[str | None], dict[str, ReportEntry]]:
        """A key per source; sources that cannot even be read have none, and a failed entry by name."""
        keys: list[str | None] = []
        failed: dict[str, ReportEntry] = {}
        values = self.config.value_fields() | {
            "precision": self.precision,
            "device": self.devices[0].partition(":")[0],
        }
        card = json.dumps(self.plan.card.to_json(), sort_keys=True).encode()
        model = hashlib.sha256(card).hexdigest()
        for source in self.plan.sources:
            try:
                identity = input_identity(source.path)
            except OSError as error:
                keys.append(None)
                failed[source.name] = ReportEntry(
                    source.name,
                    str(source.path),
                    "failed",
                    reason=f"cannot be read: {error.strerror or error}",
                    subject=source.subject,
                )
                continue
            key = part_key(source, identity, values, model, __version__)
            keys.append(key)
            self.identities[key] = content_identity(identity)
        return keys, failed

    def _process(
        self, todo: Sequence[tuple[Source, str]], folder: RunFolder
    ) -> Generator[ReportEntry, None, None]:
        """Entries of the videos as they finish, in any order."""
        if not todo:
            return
        tasks = [
            Task(
                source.name,
                VideoTask(source, key, folder.spool_path(key), folder.part_path(key)),
                weight=_bytes(source.path),
            )
            for source, key in todo
        ]
        outcomes = run_on_devices(
            self.plan.workers,
            tasks,
            "aucli.inference.worker:set_up",
            on_event=self.on_event,
            config=self.config,
            schema=self.schema,
        )
        with closing(outcomes):
            for task, outcome in outcomes:
                if not isinstance(outcome, TaskFailure):
                    yield outcome
                    continue
                source, key = task.payload.source, task.payload.key
                yield ReportEntry(
                    source.name,
                    str(source.path),
                    "failed",
                    reason=outcome.reason,
                    subject=source.subject,
                    key=key,
                )

    def _settle(self, entry: ReportEntry, fail_fast: bool) -> None:
        self.on_event(VideoFinished(entry))
        if fail_fast and entry.status in ("failed", "partial"):
            raise StoppedAtFailureError(
                f"{entry.video}: {entry.reason} (stopped there because of --fail-fast; "
                "the same command without it goes on from here)"
            )

    def _describe(self, entries: Sequence[ReportEntry]) -> Mapping[bytes, bytes]:
        card = self.plan.card
        config = self.config
        return output_metadata(
            self.schema,
            entries,
            identities=self.identities,
            version=__version__,
            config=config.value_fields() | {"precision": self.precision},
            card=card.to_json(),
            detector={
                "name": config.detector,
                "min_face": config.min_face,
                "detect_every": config.detect_every or "auto",
            },
            crop=card.to_json()["crop"],
            machine=self._machine(),
            versions=_versions(),
            command_line=self.command_line,
            citations=card.citations,
            valid_rule=VALID_RULE,
        )

    def _machine(self) -> dict[str, str]:
        return {
            "architecture": platform.machine(),
            "system": platform.system(),
            "device": self.devices[0].partition(":")[0],
        }


def _bytes(path: Path) -> float:
    try:
        return float(path.stat().st_size)
    except OSError:
        return 0.0


def _versions() -> dict[str, str]:
    found = {"aucli": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = installed_version(package)
        except ModuleNotFoundError:  # decord has no wheel for every platform
            continue
    return found
