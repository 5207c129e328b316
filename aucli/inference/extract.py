"""A whole run: inputs to Parquet and a report. Imports no torch: the workers do that."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.datatypes import Shard, Source
from aucli.errors import AucliError
from aucli.faces.valid import VALID_RULE
from aucli.inference.cluster import Cluster, cluster_for
from aucli.inference.devices import plan_workers, resolve_device, resolve_precision
from aucli.inference.events import Event, EventHook, RunStarted, VideoFinished
from aucli.inference.extract_plan import ExtractPlan, keys_of, plan_extract
from aucli.inference.on_devices import run_on_devices
from aucli.inference.profile import StageRow, recording
from aucli.inference.shards import source_bytes
from aucli.inference.split_videos import SplitVideos, split_long
from aucli.inference.supervisor import Task, TaskFailure
from aucli.inference.task import VideoTask
from aucli.inference.watch import START_SECONDS, Limits, usual_memory_bytes
from aucli.media.remote import Storage
from aucli.media.segments import WARM_UP_SECONDS
from aucli.sinks.metadata import output_metadata
from aucli.sinks.remote_output import RemoteRunFolder, staged
from aucli.sinks.report import EXIT_SOME_FAILED, Report, ReportEntry
from aucli.sinks.run_folder import PlannedInput, RunFolder
from aucli.sinks.schema import output_schema

PACKAGES = (
    "torch",
    "timm",
    "av",
    "torchcodec",
    "decord",
    "facenet-pytorch",
    "insightface",
    "numpy",
    "scipy",
    "pyarrow",
)


class StoppedAtFailureError(AucliError):
    """--fail-fast met an input that failed or was not whole."""

    exit_code = EXIT_SOME_FAILED


@dataclass(frozen=True)
class ExtractResult:
    """What a run leaves behind.

    report: one entry per input. output: the Parquet file or folder, None when nothing usable came out; a
        string when it was named by its address. profile: what the stages took, where the configuration
        asked for it.
    """

    report: Report
    output: Path | str | None
    profile: tuple[StageRow, ...] = ()

    @property
    def exit_code(self) -> int:
        return self.report.exit_code

    @cached_property
    def table(self) -> pa.Table:
        """All rows in memory; empty when nothing usable came out."""
        return pa.table({}) if self.output is None else self.dataset.to_table()

    @property
    def dataset(self) -> pyarrow.dataset.Dataset:
        """The rows on disk, for more than memory holds."""
        storage = Storage(self.output) if isinstance(self.output, str) else None
        return pyarrow.dataset.dataset(
            self.output if storage is None else storage.path,
            filesystem=None if storage is None else storage.files,
            format="parquet",
            exclude_invalid_files=True,
        )


def run_extract(
    inputs: Sequence[str | Path],
    output: str | Path | None,
    config: ExtractConfig,
    *,
    fresh: bool = False,
    fail_fast: bool = False,
    shard: Shard | None = None,
    engine: str = "local",
    scheduler: str | None = None,
    command_line: Sequence[str] = (),
    on_event: EventHook | None = None,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> ExtractResult:
    """Every face in every selected frame of the inputs, as rows in `output`.

    output: a .parquet file or a folder; None for a temporary file that lives as long as the result.
    fresh: forget what earlier runs of the same output finished. fail_fast: stop at the first input that
    fails or is not whole. shard: only its part of the inputs; its output is one of those that
    `sinks.merge` joins, and is there even without a row. engine, scheduler: see `cluster_for`.
    on_event: told what happens, see `events`. warm_up_seconds: of segments, see `media.segments`; too few
    of them cost time, as segments that do not agree are done once more, and never change a row.

    Raises:
        UsageError: see `plan_extract`; nothing was run.
        OutputError: the output cannot be written or another run is writing it.
        StoppedAtFailureError: with `fail_fast`. Finished videos are kept for the next run.
    """
    temporary = Path(tempfile.mkdtemp(prefix="aucli-")) if output is None else None
    place = output if temporary is None else temporary / "out.parquet"
    assert place is not None  # one of the two
    try:
        with (
            staged(place) as staging,
            cluster_for(engine, scheduler, config) as cluster,
            recording(config.profile) as profile,
        ):
            hooks: list[EventHook] = [] if on_event is None else [on_event]
            if profile is not None:
                hooks.append(profile)
            plan = plan_extract(inputs, staging, config, shard=shard, cluster=cluster)
            run = _Run(
                plan,
                config,
                command_line,
                lambda event: _tell(hooks, event),
                cluster,
                warm_up_seconds=warm_up_seconds,
            )
            result = run.run(fresh=fresh, fail_fast=fail_fast)
        if profile is not None:
            result = replace(result, profile=profile.rows)
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if temporary is not None:
        weakref.finalize(result, shutil.rmtree, temporary, ignore_errors=True)
    return result


def _tell(hooks: Sequence[EventHook], event: Event) -> None:
    for hook in hooks:
        hook(event)


class _Run:
    """One run of a plan."""

    def __init__(
        self,
        plan: ExtractPlan,
        config: ExtractConfig,
        command_line: Sequence[str],
        on_event: EventHook,
        cluster: Cluster | None = None,
        *,
        warm_up_seconds: float,
    ) -> None:
        self.plan = plan
        self.config = config
        self.command_line = tuple(command_line) or None
        self.on_event = on_event
        self.cluster = cluster
        self.warm_up_seconds = warm_up_seconds
        self.workers = plan.workers
        self.devices = tuple(dict.fromkeys(worker.device for worker in plan.workers))
        self.precision = resolve_precision(config.precision, self.devices[0])
        self.identities: Mapping[str, Mapping[str, Any]] = {}
        self.schema = output_schema(
            plan.card.written_aus,
            intensity_aus=plan.card.intensity_aus,
            with_probabilities=plan.card.probabilities,
            with_occurrences=plan.card.gives_occurrences,
            with_subject=plan.with_subject,
        )

    def run(self, *, fresh: bool, fail_fast: bool) -> ExtractResult:
        started, clock = datetime.now(UTC), time.perf_counter()
        with self._folder(fresh) as folder:
            planned_keys = keys_of(self.plan, self.config)
            keys, failed = planned_keys.of_sources, planned_keys.failed
            self.identities = planned_keys.identities
            planned = [
                PlannedInput(source.name, source.location, key)
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
            merged = folder.merge(ordered, even_without_rows=self.plan.share is not None)
            output = None if merged is None else self.plan.place.location
            report = Report(
                entries=(*ordered, *self.plan.rejected),
                output=None if output is None else str(output),
                command_line=self.command_line,
                started=started.isoformat(timespec="seconds"),
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                wall_seconds=round(time.perf_counter() - clock, 3),
                machine=self._machine() | {"host": platform.node(), "workers": len(self.workers)},
                versions=_versions(),
                share=self.plan.share,
            )
            folder.finish(report)
        return ExtractResult(report, output)

    def _folder(self, fresh: bool) -> RunFolder:
        if self.plan.remote is None:
            return RunFolder(self.plan.place, self.schema, self._describe, fresh=fresh)
        return RemoteRunFolder(self.plan.remote, self.plan.place, self.schema, self._describe, fresh=fresh)

    def _process(
        self, todo: Sequence[tuple[Source, str]], folder: RunFolder
    ) -> Generator[ReportEntry, None, None]:
        """Entries of the videos as they finish, in any order."""
        if not todo:
            return
        tasks = [
            Task(
                source.name,
                VideoTask(
                    source,
                    key,
                    folder.spool_path(key),
                    folder.part_path(key),
                    self.plan.remote.part_url(folder.part_path(key)) if self.plan.remote else None,
                ),
                weight=float(source_bytes(source)),
            )
            for source, key in todo
        ]
        limits = self._limits()
        split = SplitVideos(self.on_event)
        if self.config.segment_minutes is not None and self.cluster is None:
            tasks = self._split(tasks, split, limits)
        if self.cluster:
            run_all = self.cluster.run_tasks
        else:
            run_all = partial(run_on_devices, self.workers, settle=split.settle)
        outcomes = run_all(
            tasks,
            "aucli.inference.worker:set_up",
            on_event=split.hear,
            limits=limits,
            config=self.config,
            schema=self.schema,
            # A cluster gives its workers one video after the other.
            most_at_once=1 if self.cluster else -(-len(tasks) // len(self.workers)),
        )
        with closing(outcomes):
            for task, outcome in outcomes:
                if not isinstance(outcome, TaskFailure):
                    yield split.finished(outcome)
                    continue
                source, key = task.payload.source, task.payload.key
                failed = ReportEntry(
                    source.name,
                    source.location,
                    "failed",
                    reason=outcome.reason,
                    subject=source.subject,
                    key=key,
                )
                yield split.finished(failed)

    def _limits(self) -> Limits:
        memory_bytes = self.config.worker_memory_bytes
        if memory_bytes is None and self.cluster is None:  # else each machine takes its own
            memory_bytes = usual_memory_bytes()
        stall_seconds = self.config.stall_seconds or None
        return Limits(stall_seconds, memory_bytes, max(START_SECONDS, stall_seconds or 0))

    def _split(self, tasks: list[Task], split: SplitVideos, limits: Limits) -> list[Task]:
        """Segments in place of the long videos, where there are several workers to share them."""
        devices = resolve_device(self.config.device)  # also those for which there are too few videos
        workers = plan_workers(devices, self.config.jobs, sys.maxsize)
        if len(workers) == 1:
            return tasks
        tasks = split_long(
            tasks,
            self.config,
            split,
            processes=len(workers),
            reads_clips=self.plan.card.reads_clips,
            warm_up_seconds=self.warm_up_seconds,
            limits=limits,
        )
        self.workers = tuple(plan_workers(devices, self.config.jobs, len(tasks)))
        return tasks

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


@cache
def _versions() -> Mapping[str, str]:
    found = {"aucli": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = installed_version(package)
        except ModuleNotFoundError:  # decord has no wheel for every platform, torchcodec is an extra
            continue
    return found
