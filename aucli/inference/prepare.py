"""A dataset's raw videos or frames to aligned crops and one table of labels: the whole run.

What is finished is kept: each recording's crops appear as a whole folder, then its rows as a part, then a
record of both (see `sinks.run_folder`). The same command goes on from there, and the result is the same.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, get_args

from aucli import __version__
from aucli.datasets.bp4d import read_bp4d
from aucli.datasets.ckplus import read_ckplus
from aucli.datasets.disfa import read_disfa
from aucli.datasets.prepared import CROPS, METADATA_KEY, PREPARED_CROP, TABLE, prepared_metadata, table_schema
from aucli.datasets.recordings import Recording
from aucli.datasets.table import find_table, read_table_recordings
from aucli.errors import InputNotFoundError, MediaError, UsageError
from aucli.inference.devices import WorkerPlan, plan_workers, resolve_device
from aucli.inference.events import Event, EventHook, RunStarted, VideoFinished
from aucli.inference.on_devices import run_on_devices
from aucli.inference.prepare_recording import PictureFormat, PrepareConfig, RecordingTask, source_of
from aucli.inference.supervisor import Task, TaskFailure
from aucli.media.decode import check_decoder
from aucli.media.pictures import folder_pictures
from aucli.plain_json import json_bytes
from aucli.sinks.identity import input_identity
from aucli.sinks.place import OutputPlace
from aucli.sinks.report import Report, ReportEntry
from aucli.sinks.run_folder import PlannedInput, RunFolder

READERS: dict[str, Callable[[Path], list[Recording]]] = {
    "bp4d": read_bp4d,
    "disfa": read_disfa,
    "ck+": read_ckplus,
    "table": lambda raw: read_table_recordings(find_table(raw)),
}
"""Datasets that come as pictures or videos from which faces have to be cut out."""
_PACKAGES = ("torch", "av", "facenet-pytorch", "insightface", "numpy", "pillow", "pyarrow")
_WORKING = "working"


@dataclass(frozen=True)
class PrepareResult:
    """report: one entry for each recording; output: the folder, None when nothing usable came out."""

    report: Report
    output: Path | None


def prepare(
    dataset: str,
    raw: Path,
    output: Path,
    config: PrepareConfig | None = None,
    *,
    fresh: bool = False,
    command_line: Sequence[str] = (),
    on_event: EventHook | None = None,
) -> PrepareResult:
    """Cut the main person's face out of each coded frame; see `aucli.datasets.prepared` for what is written.

    dataset: one of `READERS`, in any case. raw: its folder as the owners ship it, for `table` the file.
    fresh: forget what earlier runs finished. on_event: told what happens, see `events`.

    Of several people in a video it is the one seen in the most frames (`faces.main_person`); of several faces
    in a single picture the largest. A frame without a face keeps its row. In the report's entries `rows` are
    coded frames, `frames` those of them that are there, `faces` those with a crop, `tracks` the people seen.

    Raises:
        UsageError: an unknown dataset, labels that are missing or malformed, an output that cannot be.
        OutputError: the output cannot be written or another run is writing it.
    """
    config = config or PrepareConfig()
    name = dataset.lower()
    if name not in READERS:
        raise UsageError(
            f"--dataset {dataset!r}: choose one of {', '.join(READERS)}; others need no preparing"
        )
    if config.picture_format not in get_args(PictureFormat):
        raise UsageError(
            f"--format {config.picture_format!r}: choose one of {', '.join(get_args(PictureFormat))}"
        )
    if not raw.exists():
        raise InputNotFoundError(f"{raw} does not exist: give the folder of {dataset}")
    recordings = READERS[name](raw)
    _check_output(output, raw)
    devices = resolve_device(config.device)
    check_decoder(config.decoder, devices[0])
    workers = plan_workers(devices, config.jobs, len(recordings))
    run = _Run(
        name,
        output,
        config=config,
        recordings=recordings,
        workers=workers,
        command_line=tuple(command_line),
        on_event=on_event or _ignore,
    )
    return run.run(fresh=fresh)


def _ignore(_event: Event) -> None:
    pass


def _check_output(output: Path, raw: Path) -> None:
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file: give a folder for the crops and their table")
    if output.resolve() == (raw if raw.is_dir() else raw.parent).resolve():
        raise UsageError(f"{output} holds the raw data: give another folder for the crops")
    if (output / TABLE).exists() and prepared_metadata(output) is None:
        raise UsageError(f"{output / TABLE} was not written by aucli prepare: give another folder")
    if not output.exists() and not output.absolute().parent.is_dir():
        raise UsageError(f"the folder {output.parent} does not exist: mkdir -p {output.parent}")


class _Run:
    """One run of a plan."""

    def __init__(
        self,
        dataset: str,
        output: Path,
        *,
        config: PrepareConfig,
        recordings: Sequence[Recording],
        workers: Sequence[WorkerPlan],
        command_line: tuple[str, ...],
        on_event: EventHook,
    ) -> None:
        self.dataset, self.output, self.config = dataset, output, config
        self.recordings = {recording.name: recording for recording in recordings}
        self.workers = workers
        self.command_line = command_line or None
        self.on_event = on_event
        self.schema = table_schema(
            recordings[0].au_names, with_intensity=any(one.intensity is not None for one in recordings)
        )

    def run(self, *, fresh: bool) -> PrepareResult:
        started, clock = datetime.now(UTC), time.perf_counter()
        place = OutputPlace(self.output / TABLE, single_file=True)
        with RunFolder(place, self.schema, self._describe, fresh=fresh) as folder:
            keys, entries = self._keys()
            planned = [
                PlannedInput(name, str(self.recordings[name].source), key) for name, key in keys.items()
            ]
            finished = folder.plan(planned)
            finished = {key: entry for key, entry in finished.items() if self._has_crops(entry)}
            entries |= {entry.video: entry for entry in finished.values()}
            self.on_event(
                RunStarted(
                    len(self.recordings),
                    len(finished),
                    self.config.detector,
                    tuple(dict.fromkeys(worker.device for worker in self.workers)),
                )
            )
            for name in self.recordings.keys() - keys.keys():
                self.on_event(VideoFinished(entries[name]))
            todo = {name: key for name, key in keys.items() if key not in finished}
            try:
                with closing(self._process(todo, folder)) as done:
                    for entry in done:
                        entries[entry.video] = folder.commit(entry)
                        self.on_event(VideoFinished(entry))
            finally:
                shutil.rmtree(place.work / _WORKING, ignore_errors=True)
            ordered = [entries[name] for name in self.recordings]
            output = folder.merge(ordered)
            if output is not None:
                self._remove_old_crops(ordered)
            report = Report(
                entries=tuple(ordered),
                output=None if output is None else str(self.output),
                command_line=self.command_line,
                started=started.isoformat(timespec="seconds"),
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                wall_seconds=round(time.perf_counter() - clock, 3),
                machine={
                    "host": platform.node(),
                    "device": self.workers[0].device.partition(":")[0],
                    "workers": len(self.workers),
                },
                versions=_versions(),
            )
            folder.finish(report)
        return PrepareResult(report, None if output is None else self.output)

    def _keys(self) -> tuple[dict[str, str], dict[str, ReportEntry]]:
        """A key per recording; recordings that are not there have none, and a failed entry."""
        keys, failed = {}, {}
        for name, recording in self.recordings.items():
            try:
                keys[name] = _key(recording, self.config)
            except (InputNotFoundError, MediaError, OSError) as error:
                failed[name] = ReportEntry(
                    name, str(recording.source), "failed", reason=str(error), subject=recording.subject
                )
        return keys, failed

    def _process(self, todo: Mapping[str, str], folder: RunFolder) -> Generator[ReportEntry, None, None]:
        """Entries of the recordings as they finish, in any order."""
        if not todo:
            return
        tasks = [
            Task(
                name,
                RecordingTask(
                    recording=self.recordings[name],
                    key=key,
                    working=folder.place.work / _WORKING / key,
                    crops=self.output / CROPS / crop_folder(name, key),
                    prefix=f"{CROPS}/{crop_folder(name, key)}",
                    part_path=folder.part_path(key),
                ),
                weight=len(self.recordings[name]),
            )
            for name, key in todo.items()
        ]
        outcomes = run_on_devices(
            self.workers,
            tasks,
            "aucli.inference.prepare_recording:set_up",
            on_event=self.on_event,
            config=self.config,
            schema=self.schema,
        )
        with closing(outcomes):
            for task, outcome in outcomes:
                if isinstance(outcome, TaskFailure):
                    recording = task.payload.recording
                    yield ReportEntry(
                        recording.name,
                        str(recording.source),
                        "failed",
                        reason=outcome.reason,
                        subject=recording.subject,
                        key=task.payload.key,
                    )
                else:
                    yield outcome

    def _has_crops(self, entry: ReportEntry) -> bool:
        """Whether as many crops are there as an earlier run wrote: somebody may have removed them."""
        if not entry.faces:
            return True
        folder = self.output / CROPS / crop_folder(entry.video, entry.key)
        return folder.is_dir() and sum(1 for _ in folder.iterdir()) == entry.faces

    def _remove_old_crops(self, entries: Sequence[ReportEntry]) -> None:
        """Remove crops to which the table no longer points: of other options, or of a killed run."""
        kept = {crop_folder(entry.video, entry.key) for entry in entries if entry.faces}
        for folder in (self.output / CROPS).glob("*"):
            if folder.name not in kept and re.search(r"-[0-9a-f]{16}$", folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _describe(self, entries: Sequence[ReportEntry]) -> Mapping[bytes, bytes]:
        value = {
            "version": __version__,
            "prepared": {
                "dataset": self.dataset,
                "crop": asdict(PREPARED_CROP),
                "crop_rule": (
                    "the five template points of aucli.faces.align, scaled about the middle of a square of "
                    "`size` pixels by `scale` and moved down by `shift_y` sides; a similarity transform "
                    "takes the detected points there"
                ),
                "person": "seen in the most frames; in single pictures the largest face",
                "config": _values(self.config),
            },
            "videos": [
                {"video": entry.video, "rows": entry.rows, "key": entry.key, "status": entry.status}
                for entry in entries
            ],
            "versions": _versions(),
        }
        return {METADATA_KEY: json_bytes(value)}


def crop_folder(name: str, key: str) -> str:
    """Folder of a recording's crops: readable, and another one whenever the crops could be others."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', name)[:80].strip('._') or 'recording'}-{key}"


def _values(config: PrepareConfig) -> dict[str, Any]:
    return {name: value for name, value in asdict(config).items() if name not in ("device", "jobs")}


def _key(recording: Recording, config: PrepareConfig) -> str:
    """16 hex digits that change whenever the rows or crops of this recording could."""
    if recording.pictures is not None:
        source: Any = [_stamp(recording.source / name) for name in recording.pictures]
    else:
        found = source_of(recording)
        # Of the many pictures of a folder the names, sizes and times: reading into each would take minutes.
        source = (
            input_identity(found.path)
            if found.kind == "video"
            else [_stamp(path) for path in folder_pictures(found.path)]
        )
    intensity = b"" if recording.intensity is None else recording.intensity.tobytes()
    labels = recording.frames.tobytes() + recording.labels.tobytes() + intensity
    value = {
        "source": source,
        "path": str(recording.source.resolve()),
        "name": recording.name,
        "subject": recording.subject,
        "pictures": recording.pictures,
        "part": (recording.fold, recording.split),
        "aus": recording.au_names,
        "labels": hashlib.sha256(labels).hexdigest(),
        "config": _values(config),
        "crop": asdict(PREPARED_CROP),
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return path.name, -1, -1  # noted as not there when its turn comes
    return path.name, status.st_size, status.st_mtime_ns


def _versions() -> dict[str, str]:
    return {"aucli": __version__} | {package: installed_version(package) for package in _PACKAGES}
