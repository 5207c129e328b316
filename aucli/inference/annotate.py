"""Videos with their results drawn on them: a whole run, inputs to new video files. Imports no torch."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.errors import MediaError, UsageError
from aucli.inference.devices import WorkerPlan, plan_workers, resolve_device, resolve_precision
from aucli.inference.events import EventHook, RunStarted, VideoFinished
from aucli.inference.on_devices import run_on_devices
from aucli.inference.supervisor import Task, TaskFailure
from aucli.media.discover import discover
from aucli.media.encode import FALLBACK_SUFFIXES, FORMATS, Encoding, comment_of
from aucli.sinks.atomic import TEMPORARY_SUFFIX
from aucli.sinks.draw.look import Look
from aucli.sinks.extraction import ExtractedVideo, find_video, read_extraction
from aucli.sinks.identity import content_identity, input_identity
from aucli.sinks.report import EXIT_NOTHING_USABLE, EXIT_OK, EXIT_SOME_FAILED, Report, ReportEntry
from aucli.zoo.catalogue import find

COMMENT = "annotated by aucli"
"""How the metadata of every file begins that `annotate` wrote; by this it knows its own files."""
_ENDING = ".annotated.mp4"


@dataclass(frozen=True)
class AnnotateTask:
    """One video to do.

    output: the file to write; with `any_suffix` it may get one of `FALLBACK_SUFFIXES`, where its sound asks
    for that.
    extracted: the rows to draw; None: they are computed.
    """

    source: Source
    output: Path
    any_suffix: bool
    extracted: ExtractedVideo | None = None

    @property
    def candidates(self) -> tuple[Path, ...]:
        """The files that it may write."""
        if not self.any_suffix:
            return (self.output,)
        return self.output, *(self.output.with_suffix(suffix) for suffix in FALLBACK_SUFFIXES)


@dataclass(frozen=True)
class AnnotateResult:
    """report: one entry per input; `file` of an entry is the video written for it."""

    report: Report

    @property
    def exit_code(self) -> int:
        """0 all well, 3 some inputs failed or are partial, 4 no video was written."""
        if not any(entry.file for entry in self.report.entries):
            return EXIT_NOTHING_USABLE
        bad = any(entry.status in ("failed", "partial") for entry in self.report.entries)
        return EXIT_SOME_FAILED if bad else EXIT_OK


def run_annotate(
    inputs: Sequence[str | Path],
    output: str | Path | None,
    config: ExtractConfig,
    *,
    rows_from: Path | None = None,
    look: Look | None = None,
    encoding: Encoding | None = None,
    command_line: Sequence[str] = (),
    on_event: EventHook | None = None,
) -> AnnotateResult:
    """Draw the results of each input on its frames, and write them as a video with the input's sound.

    output: a file for one input, a folder for any number; None: `clip.annotated.mp4` beside each.
    config: of the analysis. rows_from: draw the rows of this extraction, and analyse nothing.
    on_event: told what happens, see `events`.

    Raises:
        UsageError: wrong inputs, an output that cannot be, that is an input, or that aucli did not write;
            nothing was run.
        OutputError: an output cannot be written.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    on_event = on_event or (lambda _event: None)
    found = discover(inputs)
    tasks = _plan(found.sources, inputs, output, rows_from)
    entries = {
        item.name: ReportEntry(item.name, str(item.path), "failed", reason=item.reason)
        for item in found.rejected
    }
    rejected = list(entries)
    if rows_from is None:
        model = find(config.model).card.name
        devices = resolve_device(config.device)
        for device in devices:
            resolve_precision(config.precision, device)
    else:
        model, devices = str(rows_from), ("cpu",)
        tasks, refused = _with_rows(tasks, read_extraction(rows_from))
        entries |= {entry.video: entry for entry in refused}
    for task in list(tasks):
        if task.source.kind != "video":
            entries[task.source.name] = _failed(task.source, "is no video: annotate draws on videos only")
            tasks.remove(task)
    workers = plan_workers(devices, config.jobs, len(tasks))
    on_event(RunStarted(len(tasks) + len(entries), 0, model, devices))
    for entry in entries.values():
        on_event(VideoFinished(entry))
    work = _process(
        tasks, workers, config=config, look=look or Look(), encoding=encoding or Encoding(), on_event=on_event
    )
    with closing(work) as done:
        for entry in done:
            entries[entry.video] = entry
            on_event(VideoFinished(entry))
    names = [source.name for source in found.sources if source.name in entries]
    report = Report(
        entries=tuple(entries[name] for name in (*names, *rejected)),
        output=None if output is None else str(output),
        command_line=tuple(command_line) or None,
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        wall_seconds=round(time.perf_counter() - clock, 3),
        machine={"host": platform.node(), "device": devices[0].partition(":")[0], "workers": len(workers)},
        versions={"aucli": __version__},
    )
    return AnnotateResult(report)


# -- the plan ----------------------------------------------------------------------------------


def _plan(
    sources: Sequence[Source],
    inputs: Sequence[str | Path],
    output: str | Path | None,
    rows_from: Path | None,
) -> list[AnnotateTask]:
    """A task for each source, with the file that it writes; creates nothing."""
    tasks = _tasks(sources, output)
    given = {os.path.realpath(each) for each in inputs}
    ours = {os.path.realpath(path) for task in tasks for path in task.candidates}
    # In a folder lie the videos that an earlier run wrote there: they are no inputs.
    sources = [
        source
        for source in sources
        if os.path.realpath(source.path) in given or os.path.realpath(source.path) not in ours
    ]
    tasks = _tasks(sources, output)
    read = {os.path.realpath(source.path): source.path for source in sources}
    if rows_from is not None:
        read[os.path.realpath(rows_from)] = rows_from
    for task in tasks:
        for path in task.candidates:
            if os.path.realpath(path) in read:
                raise UsageError(
                    f"{path} would be written and is also an input: choose another output with -o"
                )
            if path.exists() and not is_own(path):
                raise UsageError(
                    f"{path} exists and was not written by aucli annotate: remove it or choose -o"
                )
        folder = next(parent for parent in task.output.absolute().parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write in {folder}: no permission; choose another output with -o")
    return tasks


def _tasks(sources: Sequence[Source], output: str | Path | None) -> list[AnnotateTask]:
    if output is None:
        outputs = _distinct([source.path for source in sources])
        return [AnnotateTask(source, path, True) for source, path in zip(sources, outputs, strict=True)]
    given, path = os.fspath(output), Path(output)
    if not given:
        raise UsageError("the output has no name: give for instance -o annotated/")
    is_folder = path.is_dir() or given.endswith(os.sep) or not path.suffix
    if is_folder:
        if path.exists() and not path.is_dir():
            raise UsageError(f"-o {given} is a file: remove it, or give a folder or a name in .mp4")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"-o {given}: the folder {path.parent} does not exist: mkdir -p {path.parent}")
        names = [
            PurePath(*(part for part in PurePath(s.name).parts if part not in ("..", "/"))) for s in sources
        ]
        outputs = _distinct([path / name for name in names])
        return [AnnotateTask(source, one, True) for source, one in zip(sources, outputs, strict=True)]
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"-o {given}: write {', '.join(FORMATS)}, or a folder with a {os.sep} behind its name"
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"-o {given}: the folder {path.parent} does not exist: mkdir -p {path.parent}")
    if len(sources) > 1:
        raise UsageError(
            f"-o {given} is one file for {len(sources)} videos: give a folder, -o {path.stem}{os.sep}"
        )
    # Written where a link points to.
    return [AnnotateTask(source, path.resolve() if path.is_symlink() else path, False) for source in sources]


def _distinct(paths: Sequence[Path]) -> list[Path]:
    """`clip.annotated.mp4` for each `clip.mov`; where two would be the same, `clip.mov.annotated.mp4`."""
    short = [path.with_suffix(_ENDING) for path in paths]
    count = Counter(short)
    outputs = [
        one if count[one] == 1 else path.with_name(f"{path.name}{_ENDING}")
        for path, one in zip(paths, short, strict=True)
    ]
    twice = next((path for path, times in Counter(outputs).items() if times > 1), None)
    if twice is not None:
        raise UsageError(
            f"{twice} would be written twice: an input is given with several times; choose -o FOLDER/"
        )
    return outputs


def is_own(path: Path) -> bool:
    """Whether `annotate` wrote this file."""
    return path.is_file() and comment_of(path).startswith(COMMENT)


def _with_rows(
    tasks: Sequence[AnnotateTask], videos: Sequence[ExtractedVideo]
) -> tuple[list[AnnotateTask], list[ReportEntry]]:
    """The tasks with their rows, and an entry for each whose rows are not there or not of it."""
    kept, refused = [], []
    for task in tasks:
        source = task.source
        try:
            identity = content_identity(input_identity(source.path))
            rows = find_video(videos, source.path, source.name, identity)
        except MediaError as error:
            refused.append(_failed(source, str(error)))
        except OSError as error:
            refused.append(_failed(source, f"cannot be read: {error.strerror or error}"))
        else:
            kept.append(AnnotateTask(source, task.output, task.any_suffix, rows))
    return kept, refused


# -- the work ----------------------------------------------------------------------------------


def _process(
    tasks: Sequence[AnnotateTask],
    workers: Sequence[WorkerPlan],
    *,
    config: ExtractConfig,
    look: Look,
    encoding: Encoding,
    on_event: EventHook,
) -> Generator[ReportEntry, None, None]:
    """Entries of the videos as they finish, in any order."""
    if not tasks:
        return
    unfinished = {task.source.name: task for task in tasks}
    try:
        outcomes = run_on_devices(
            workers,
            [Task(task.source.name, task, weight=_bytes(task.source.path)) for task in tasks],
            "aucli.inference.annotate_worker:set_up",
            on_event=on_event,
            config=config,
            look=look,
            encoding=encoding,
            analyses=any(task.extracted is None for task in tasks),
        )
        with closing(outcomes):
            for task, outcome in outcomes:
                if isinstance(outcome, TaskFailure):
                    yield _failed(task.payload.source, outcome.reason)
                    continue
                del unfinished[task.video]
                yield outcome
    finally:
        # A worker that was ended or that died could not clear up after itself.
        for left in unfinished.values():
            for path in left.candidates:
                path.with_name(f"{path.name}{TEMPORARY_SUFFIX}").unlink(missing_ok=True)


def _failed(source: Source, reason: str) -> ReportEntry:
    return ReportEntry(source.name, str(source.path), "failed", reason=reason, subject=source.subject)


def _bytes(path: Path) -> float:
    try:
        return float(path.stat().st_size)
    except OSError:
        return 0.0
