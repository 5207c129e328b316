"""One worker process: its networks, and all of a video, or segment, from open file to finished part."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Protocol, overload

import pyarrow as pa
import torch

from aucli.config import ExtractConfig
from aucli.datatypes import DecodeSummary, Selection, Source
from aucli.errors import MediaError, SplitError
from aucli.faces.detect import Detector, make_detector
from aucli.faces.detect_every import detect_every_for
from aucli.inference.clip_mode import clip_notes
from aucli.inference.devices import resolve_precision
from aucli.inference.events import EventHook, SegmentProgress, StagesTimed, VideoProgress, VideoStarted
from aucli.inference.parallel_detector import WorkerDetector
from aucli.inference.pipeline import Window, analyse
from aucli.inference.portions import gpu_portions
from aucli.inference.predictor import Predictor
from aucli.inference.pulse import pulse
from aucli.inference.segment import CheckedDecoder, join, window_of_segment
from aucli.inference.shared_batches import Lane, SharedBatches
from aucli.inference.tally import Tally
from aucli.inference.task import SegmentResult, SegmentTask, StitchTask, VideoTask
from aucli.inference.timing import UNTIMED, StageTimer
from aucli.media.decode import Decoder, open_decoder
from aucli.media.decode.choose import selected_rate, window_of
from aucli.media.decode.nvdec import engines
from aucli.media.probe import VideoProbe, probe
from aucli.media.remote import local_copy
from aucli.sinks.primary import only_track
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import rows_to_batch
from aucli.sinks.spool import JoinedSpools, Spool

_PROGRESS_SECONDS = 0.5
MOST_AT_ONCE = 8  # videos in one process, which has one interpreter for all; not yet measured on a GPU


class Process(Protocol):
    """What a worker does with a task; with `tasks_at_once` of them at a time, in threads."""

    @property
    def tasks_at_once(self) -> int: ...
    @overload
    def __call__(self, task: VideoTask | StitchTask, send: EventHook) -> ReportEntry: ...
    @overload
    def __call__(self, task: SegmentTask, send: EventHook) -> SegmentResult: ...


def set_up(
    config: ExtractConfig, schema: pa.Schema, device: str, threads: int, worker: int, *, most_at_once: int = 1
) -> Process:
    """Load detector and network on the device; returns the function that does tasks.

    most_at_once: tasks that there are for this worker at a time; how many it takes, it says itself.
    """
    # Parallelism is over videos and pictures, never inside an operation: same values on any number of cores.
    torch.set_num_threads(1)
    return _Processor(config, schema, device, threads, worker, most_at_once=most_at_once)


class _Processor:
    """What a worker keeps from one video to the next."""

    def __init__(
        self,
        config: ExtractConfig,
        schema: pa.Schema,
        device: str,
        threads: int,
        worker: int,
        *,
        most_at_once: int,
    ) -> None:
        self._config = config
        self._schema = schema
        self._device = device
        self._worker = worker
        self._stage_timer = StageTimer(_synchroniser(device)) if config.profile else None
        self._timer = self._stage_timer or UNTIMED
        with self._timer("load"):
            detector, predictor = _load(config, device)
        self.tasks_at_once = min(most_at_once, config.in_flight or _in_flight(device, threads))
        self._card = predictor.card
        self._batches = SharedBatches(predictor)
        portions = gpu_portions(device, self.tasks_at_once, predictor.batch_size)
        self._detector = WorkerDetector(detector, max(1, threads // self.tasks_at_once), portions)

    @overload
    def __call__(self, task: VideoTask | StitchTask, send: EventHook) -> ReportEntry: ...
    @overload
    def __call__(self, task: SegmentTask, send: EventHook) -> SegmentResult: ...
    def __call__(
        self, task: VideoTask | StitchTask | SegmentTask, send: EventHook
    ) -> ReportEntry | SegmentResult:
        match task:
            case SegmentTask():
                return self._process_segment(task, send)
            case StitchTask():
                return self._stitch(task)
        return self._process_video(task, send)

    def _process_video(self, task: VideoTask, send: EventHook) -> ReportEntry:
        with ExitStack() as stack:
            # The network has time limits of its own: while a video is fetched there is always progress.
            with pulse(time.monotonic, lambda: send(VideoProgress(task.source.name, 0))):
                source = stack.enter_context(local_copy(task.source))
            entry = self._process_file(replace(task, source=source), send)
        path, location = str(source.path), task.source.location
        return replace(entry, reason=None if entry.reason is None else entry.reason.replace(path, location))

    def _process_file(self, task: VideoTask, send: EventHook) -> ReportEntry:
        start = time.perf_counter()
        config, source = self._config, task.source
        # The header counts the whole video: of use only where all of it is selected.
        whole = window_of(source, config.selection) == Selection()
        probed = probe(source)
        expected = probed.frames_from_header
        send(VideoStarted(source.name, expected if whole else None, self._worker))
        here, rate = self._for(probed)
        tally = Tally(self._card.written_aus)
        spool = Spool(task.spool_path, self._schema)
        try:
            with (
                open_decoder(source, config.selection, config.decoder, self._device) as decoder,
                self._batches.lane() as predictor,
            ):
                broken: str | None = None
                try:
                    self._write_rows(
                        decoder,
                        here,
                        source,
                        send,
                        lambda: VideoProgress(source.name, tally.frames),
                        predictor=predictor,
                        tally=tally,
                        spool=spool,
                    )
                except MediaError as error:
                    if not tally.frames:
                        raise
                    broken = str(error)
                summary = decoder.summary
                if broken:
                    summary = replace(summary, stopped_early=broken)
        except BaseException:
            spool.discard()
            raise
        with self._timer("write"):
            entry = _finish(task, config, tally, spool, summary)
        rates = clip_notes(self._card, rate) if entry.rows else ()
        entry = replace(entry, notes=(*entry.notes, *rates, *predictor.take_notes()))
        self._tell_times(send)
        seconds = time.perf_counter() - start
        return replace(entry, wall_seconds=round(seconds, 3), fps=round(entry.frames / seconds, 2))

    def _process_segment(self, task: SegmentTask, send: EventHook) -> SegmentResult:
        """The rows of a segment in its spool, which stays.

        Raises:
            SplitError: something is not as planned, damage too.
        """
        source, segment = task.source, task.segment
        tally = Tally(self._card.written_aus)

        def progress() -> SegmentProgress:
            return SegmentProgress(source.name, task.key, segment.number, tally.frames, self._worker)

        send(progress())
        here, _ = self._for(probe(source))
        if here.detect_every != task.detect_every:
            raise SplitError("its frame rate is not the one that it was planned with")
        window = window_of_segment(segment)
        spool = Spool(task.spool_path, self._schema)
        try:
            with (
                CheckedDecoder(
                    open_decoder(source, here.selection, here.decoder, self._device, stretch=segment.stretch),
                    segment,
                ) as decoder,
                self._batches.lane() as predictor,
            ):
                self._write_rows(
                    decoder,
                    here,
                    source,
                    send,
                    progress,
                    predictor=predictor,
                    tally=tally,
                    spool=spool,
                    window=window,
                )
                decoder.check()
                met, meets = (
                    decoder.known_at(meeting, window.snapshots) for meeting in (segment.met, segment.meets)
                )
            if tally.frames != segment.frames:
                raise SplitError(f"{tally.frames} frames came, not {segment.frames} as its packets promise")
            spool.close()
        except BaseException:
            spool.discard()
            raise
        self._tell_times(send)
        notes = predictor.take_notes()
        return SegmentResult(segment, spool.path, spool.rows, tally, decoder.summary, notes, met, meets)

    def _stitch(self, task: StitchTask) -> ReportEntry:
        """The part of a whole video, of the rows of its segments.

        Raises:
            SplitError: they do not fit together.
        """
        with self._timer("write"):
            numbers, tally, summary = join(task.segments, self._card.written_aus, exact=self._device == "cpu")
            rows = sum(result.rows for result in task.segments)
            paths = [result.spool_path for result in task.segments]
            spool = JoinedSpools(paths, numbers, self._schema, rows)
            entry = _finish(task.video, self._config, tally, spool, summary)
        _, rate = self._for(probe(task.video.source))
        rates = clip_notes(self._card, rate) if entry.rows else ()
        said = dict.fromkeys(note for result in task.segments for note in result.notes)
        return replace(entry, notes=(*entry.notes, *rates, *said))

    def _for(self, probed: VideoProbe) -> tuple[ExtractConfig, float | None]:
        """The configuration with what depends on the video, and its selected frames per second."""
        config = self._config
        rate = selected_rate(probed.frame_rate, config.selection)
        if config.detect_every is None:
            config = replace(config, detect_every=detect_every_for(rate))
        return config, rate

    def _write_rows(
        self,
        decoder: Decoder,
        config: ExtractConfig,
        source: Source,
        send: EventHook,
        so_far: Callable[[], VideoProgress | SegmentProgress],
        *,
        predictor: Lane,
        tally: Tally,
        spool: Spool,
        window: Window | None = None,
    ) -> None:
        def progress() -> None:
            send(so_far())

        last_sent = time.perf_counter()
        detector, portions = self._detector.every(config.detect_every or 1)
        chunks = analyse(
            decoder,
            detector,
            predictor,
            config,
            portions=portions,
            timer=self._timer,
            window=window,
        )
        with pulse(lambda: (decoder.summary, tally.frames), progress), closing(chunks):
            for chunk in chunks:
                with self._timer("write"):
                    tally.add(chunk)
                    spool.write(
                        rows_to_batch(self._schema, chunk.rows, video=source.name, subject=source.subject)
                    )
                if time.perf_counter() - last_sent >= _PROGRESS_SECONDS:
                    last_sent = time.perf_counter()
                    progress()
                    self._tell_times(send)

    def _tell_times(self, send: EventHook) -> None:
        if self._stage_timer is not None:
            send(StagesTimed(self._worker, self._device, self._stage_timer.take()))


def _load(config: ExtractConfig, device: str) -> tuple[Detector, Predictor]:
    detector = make_detector(config.detector, device=device, min_face=config.min_face)
    predictor = Predictor(
        config.model,
        device=device,
        precision=resolve_precision(config.precision, device),
        batch_size=config.batch_size,
        clips=config.clips,
    )
    return detector, predictor


def _in_flight(device: str, threads: int) -> int:
    """Videos at a time unless the user says: on a GPU one for each of its decoding engines, of which a video
    uses one, and one more for what a video does before and after; as many as threads where the CPU decodes.
    """
    if device == "cpu":
        return 1
    there = engines(device)
    return min(MOST_AT_ONCE, max(2, there + 1 if there else threads))


def _synchroniser(device: str) -> Callable[[], object] | None:
    """What waits for the work that a thread has given the device; None where there is nothing to wait for."""
    if device == "cpu":
        return None
    return lambda: torch.cuda.current_stream(device).synchronize()


def _finish(
    task: VideoTask,
    config: ExtractConfig,
    tally: Tally,
    spool: Spool | JoinedSpools,
    summary: DecodeSummary,
) -> ReportEntry:
    """Make the part of the spooled rows, and the entry that says what it is."""
    problem = summary.problem
    rows = spool.rows
    if config.primary is not None and tally.tracks > 1:
        number = tally.primary(config.primary)
        assert number is not None  # there are tracks
        tally.keep(number)
        rows = tally.frames
        spool.finish(task.part_path, lambda batch: only_track(batch, number))
    elif rows:
        spool.finish(task.part_path)
    else:
        spool.discard()
    if not rows:
        # The file is readable, but nothing of it was selected.
        return ReportEntry(
            task.source.name,
            task.source.location,
            "failed",
            reason=problem or "; ".join(summary.notes) or "no frame was selected",
            subject=task.source.subject,
            decoder=summary.decoder,
            key=task.key,
        )
    return ReportEntry(
        task.source.name,
        task.source.location,
        "partial" if problem else "ok" if tally.faces else "no_face",
        reason=problem,
        subject=task.source.subject,
        rows=rows,
        frames=tally.frames,
        faces=tally.faces,
        tracks=tally.tracks,
        duration_seconds=round(tally.duration_seconds, 6),
        decoder=summary.decoder,
        top_aus=tally.top_aus,
        notes=summary.notes,
        key=task.key,
    )
