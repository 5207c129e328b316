"""One worker process: its networks, and the whole of one video from open file to finished part."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import torch

from aucli.config import ExtractConfig
from aucli.datatypes import DecodeSummary, Selection
from aucli.errors import MediaError
from aucli.faces.detect import make_detector
from aucli.faces.follow import detect_every_for
from aucli.inference.clip_mode import clip_notes
from aucli.inference.devices import resolve_precision
from aucli.inference.events import EventHook, VideoProgress, VideoStarted
from aucli.inference.parallel_detector import ParallelDetector
from aucli.inference.pipeline import DETECTIONS_AT_ONCE, analyse
from aucli.inference.predictor import Predictor
from aucli.inference.tally import Tally
from aucli.inference.task import VideoTask
from aucli.media.decode import open_decoder
from aucli.media.decode.choose import selected_rate, window_of
from aucli.media.probe import probe
from aucli.sinks.primary import only_track
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import rows_to_batch
from aucli.sinks.spool import Spool

_PROGRESS_SECONDS = 0.5


def set_up(
    config: ExtractConfig, schema: pa.Schema, device: str, threads: int, worker: int
) -> Callable[[VideoTask, EventHook], ReportEntry]:
    """Load detector and network on the device; returns the function that does one video after the other."""
    # Parallelism is over videos and pictures, never inside an operation: same values on any number of cores.
    torch.set_num_threads(1)
    detector = make_detector(config.detector, device=device, min_face=config.min_face)
    if device == "cpu":
        detector = ParallelDetector(detector, threads)
    at_once = max(threads, DETECTIONS_AT_ONCE)
    predictor = Predictor(
        config.model,
        device=device,
        precision=resolve_precision(config.precision, device),
        batch_size=config.batch_size,
        clips=config.clips,
    )

    def process(task: VideoTask, send: EventHook) -> ReportEntry:
        start = time.perf_counter()
        source = task.source
        # The header counts the whole video: of use only where all of it is selected.
        whole = window_of(source, config.selection) == Selection()
        probed = probe(source)
        expected = probed.frames_from_header
        send(VideoStarted(source.name, expected if whole else None, worker))
        here, rate = config, selected_rate(probed.frame_rate, config.selection)
        if config.detect_every is None:
            here = replace(config, detect_every=detect_every_for(rate))
        tally = Tally(predictor.card.au_names)
        spool = Spool(task.spool_path, schema)
        broken: str | None = None
        last_sent = start
        try:
            with open_decoder(source, config.selection, config.decoder) as decoder:
                try:
                    with closing(
                        analyse(decoder, detector, predictor, here, detections_at_once=at_once)
                    ) as chunks:
                        for chunk in chunks:
                            tally.add(chunk)
                            spool.write(
                                rows_to_batch(schema, chunk.rows, video=source.name, subject=source.subject)
                            )
                            if time.perf_counter() - last_sent >= _PROGRESS_SECONDS:
                                last_sent = time.perf_counter()
                                send(VideoProgress(source.name, tally.frames))
                except MediaError as error:
                    if not tally.frames:
                        raise
                    broken = str(error)
                summary = decoder.summary
                if broken:
                    summary = replace(summary, stopped_early=broken)
                notes = (*summary.notes, *clip_notes(predictor.card, rate))
                summary = replace(summary, notes=notes)
        except BaseException:
            spool.discard()
            raise
        entry = _finish(task, config, tally, spool, summary)
        seconds = time.perf_counter() - start
        return replace(entry, wall_seconds=round(seconds, 3), fps=round(entry.frames / seconds, 2))

    return process


def _finish(
    task: VideoTask, config: ExtractConfig, tally: Tally, spool: Spool, summary: DecodeSummary
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
            str(task.source.path),
            "failed",
            reason=problem or "; ".join(summary.notes) or "no frame was selected",
            subject=task.source.subject,
            decoder=summary.decoder,
            key=task.key,
        )
    return ReportEntry(
        task.source.name,
        str(task.source.path),
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
