"""Videos with their results drawn on them: a whole run, inputs to new video files. Imports no torch."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.errors import MediaError, UsageError
from aucli.inference.annotate_plan import AnnotateTask, drawn_before, failed_entry, plan_annotate
from aucli.inference.annotate_resume import annotate_key, finished_entry, of_analysis, of_rows
from aucli.inference.clip_mode import check_clip_mode
from aucli.inference.devices import WorkerPlan, plan_workers, resolve_device, resolve_precision
from aucli.inference.events import EventHook, RunStarted, VideoFinished
from aucli.inference.on_devices import run_on_devices
from aucli.inference.supervisor import Task, TaskFailure
from aucli.media.codecs import AUTO, Encoding, choose_encoder
from aucli.media.decode import check_decoder
from aucli.media.discover import Discovery, discover
from aucli.sinks.atomic import TEMPORARY_SUFFIX
from aucli.sinks.draw.look import Look
from aucli.sinks.extraction import ExtractedVideo, find_video, read_extraction
from aucli.sinks.identity import content_identity, input_identity
from aucli.sinks.report import EXIT_NOTHING_USABLE, EXIT_OK, EXIT_SOME_FAILED, Report, ReportEntry
from aucli.zoo.card import Card
from aucli.zoo.catalogue import BUILTIN, find


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
    fresh: bool = False,
    command_line: Sequence[str] = (),
    on_event: EventHook | None = None,
) -> AnnotateResult:
    """Draw the results of each input on its frames, and write them as a video with the input's sound.

    output: a file for one input, a folder for any number; None: `clip.annotated.mp4` beside each.
    config: of the analysis. rows_from: draw the rows of this extraction, and analyse nothing.
    fresh: draw again also what is finished. on_event: told what happens, see `events`.

    Raises:
        UsageError: wrong inputs, an output that cannot be, that is an input, or that aucli did not write; a
            graph or heatmaps from rows or of a model that has none; an encoder that does not work here.
            Nothing was run.
        OutputError: an output cannot be written.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    on_event = on_event or (lambda _event: None)
    look, encoding = look or Look(), encoding or Encoding()
    if encoding.codec != AUTO:
        choose_encoder(encoding)
    found = discover(inputs)
    for source in found.sources:
        if source.remote is not None:
            raise UsageError(f"{source.location}: annotate reads files of this machine only: copy it here")
    tasks = plan_annotate(found.sources, inputs, output, rows_from)
    entries = _left_out(found, tasks)
    rejected = list(entries)
    for task in list(tasks):
        if task.source.kind != "video":
            entries[task.source.name] = failed_entry(
                task.source, "is no video: annotate draws on videos only"
            )
            tasks.remove(task)
    if rows_from is None:
        card = find(config.model).card
        _check_graph(look, card)
        _check_heatmaps(look, card)
        check_clip_mode(config.clips, card)
        model, devices = card.name, resolve_device(config.device)
        for device in devices:
            resolve_precision(config.precision, device)
        check_decoder(config.decoder, devices[0])
        drawn = Drawn(look, encoding, card=card, analysis=of_analysis(config, devices[0]))
    else:
        _check_graph(look, None)
        _check_heatmaps(look, None)
        model, devices = str(rows_from), ("cpu",)
        drawn = Drawn(look, encoding, videos=read_extraction(rows_from))
    tasks, refused = _identified(tasks, drawn)
    entries |= {entry.video: entry for entry in refused}
    finished = {} if fresh else _finished(tasks)
    tasks = [task for task in tasks if task.source.name not in finished]
    workers = plan_workers(devices, config.jobs, len(tasks))
    on_event(RunStarted(len(tasks) + len(entries) + len(finished), len(finished), model, devices))
    for entry in entries.values():
        on_event(VideoFinished(entry))
    entries |= finished
    work = _process(tasks, workers, config=config, look=look, encoding=encoding, on_event=on_event)
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


# -- what is to do ---------------------------------------------------------------------------


def _left_out(found: Discovery, tasks: Sequence[AnnotateTask]) -> dict[str, ReportEntry]:
    """Entries of what is no input, without the videos that this run writes itself."""
    ours = {os.path.realpath(path) for task in tasks for path in task.candidates}
    return {
        item.name: ReportEntry(item.name, str(item.path), item.status, reason=item.reason)
        for item in found.rejected
        if item.status != "skipped" or os.path.realpath(item.path) not in ours
    }


def _check_graph(look: Look, card: Card | None) -> None:
    """Whether there is what the graph shows; card: of the model, None where rows are drawn.

    Raises:
        UsageError: there is not.
    """
    if not look.graph:
        return
    if card is None:
        raise UsageError(
            "--graph shows what the network says of pairs of AUs, which no Parquet file holds: leave out "
            "--from, so that the video is analysed, or --graph"
        )
    if not card.gives_edges:
        raise UsageError(
            f"--graph: {card.name} ({card.system}, stage {card.stage}) says nothing of pairs of AUs; models "
            f"of ME-GraphAU's stage 2 do, such as --model {BUILTIN}"
        )


def _check_heatmaps(look: Look, card: Card | None) -> None:
    """Whether there are heatmaps; card: of the model, None where rows are drawn.

    Raises:
        UsageError: there are not.
    """
    if not look.heatmaps:
        return
    if card is None:
        raise UsageError(
            "--heatmaps shows maps of the network, which no Parquet file holds: leave out --from, so that "
            "the video is analysed, or --heatmaps"
        )
    if not card.gives_heatmaps:
        raise UsageError(
            f"--heatmaps: {card.name} ({card.system}) makes none; SCC does, see `aucli models import --help`"
        )


@dataclass(frozen=True)
class Drawn:
    """What the pictures of a run depend on beside its inputs: model and analysis, or rows that are there."""

    look: Look
    encoding: Encoding
    card: Card | None = None
    analysis: Mapping[str, Any] = field(default_factory=dict)
    videos: Sequence[ExtractedVideo] = ()


def _identified(tasks: Sequence[AnnotateTask], drawn: Drawn) -> tuple[list[AnnotateTask], list[ReportEntry]]:
    """The tasks with their keys and rows; and an entry for each that cannot be read, or whose rows are not
    there or not of it.
    """
    kept, refused = [], []
    for task in tasks:
        source, extracted = task.source, None
        made_of: Mapping[str, Any] = drawn.analysis
        try:
            identity = input_identity(source.path)
            if drawn.card is None:
                extracted = find_video(drawn.videos, source.path, source.name, content_identity(identity))
                made_of, card = of_rows(extracted), extracted.card
            else:
                card = drawn.card.to_json()
        except MediaError as error:
            refused.append(drawn_before(source) or failed_entry(source, str(error)))
        except OSError as error:
            refused.append(failed_entry(source, f"cannot be read: {error.strerror or error}"))
        else:
            key = annotate_key(source, identity, drawn.look, drawn.encoding, made_of=made_of, card=card)
            kept.append(replace(task, extracted=extracted, key=key))
    return kept, refused


def _finished(tasks: Sequence[AnnotateTask]) -> dict[str, ReportEntry]:
    """Entries of what an earlier run finished, by the name of the source."""
    found = ((task.source.name, finished_entry(task.source, task.candidates, task.key)) for task in tasks)
    return {name: entry for name, entry in found if entry is not None}


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
                    yield failed_entry(task.payload.source, outcome.reason)
                    continue
                del unfinished[task.video]
                yield outcome
    finally:
        # A worker that was ended or that died could not clear up after itself.
        for left in unfinished.values():
            for path in left.candidates:
                path.with_name(f"{path.name}{TEMPORARY_SUFFIX}").unlink(missing_ok=True)


def _bytes(path: Path) -> float:
    try:
        return float(path.stat().st_size)
    except OSError:
        return 0.0
