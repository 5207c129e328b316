"""The work of an export: the files of a plan, and a note beside each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aucli.errors import AucliError, OutputError
from aucli.sinks.atomic import atomic_file
from aucli.sinks.export.contents import Contents
from aucli.sinks.export.note import ExportedFile, note_text
from aucli.sinks.export.plan import ExportPlan, Target
from aucli.sinks.export.read import VideoRows, read_videos
from aucli.sinks.extraction import ExtractedVideo


def run_export(
    plan: ExportPlan, *, version: str, on_rows: Callable[[int], None] | None = None
) -> Iterator[ExportedFile]:
    """Write the files of a plan, each whole or not at all; gives each when done. The note comes last.

    version: of aucli, for the note. on_rows: called with numbers of rows as they are read.

    Memory does not grow with the number of frames, except for ELAN and annotator-table (about 250 bytes per
    row of the longest video) and for LibreFace (about 500 bytes per row of the longest video with several
    people).

    Raises:
        OutputError: a file cannot be written; those before it are complete.
        MediaError: rows that cannot be read.
    """
    done: list[ExportedFile] = []
    try:
        for file in _files(plan, on_rows or (lambda _rows: None)):
            done.append(file)
            yield file
    except BaseException:
        with suppress(OutputError):  # what stopped it is what matters
            _write_note(plan, done, version)
        raise
    _write_note(plan, done, version)


def _files(plan: ExportPlan, on_rows: Callable[[int], None]) -> Iterator[ExportedFile]:
    reading = _counted(read_videos(plan.videos), on_rows)
    if plan.exporter.whole:
        contents = plan.exporter.contents(pq.read_schema(plan.videos[0].file))
        yield _write(plan, plan.targets[0][0], reading, videos=plan.videos, contents=contents)
        return
    schema, contents = None, Contents()
    for video, targets in zip(reading, plan.targets, strict=True):
        if video.schema != schema:  # the same for all videos of a run, as a rule
            schema, contents = video.schema, plan.exporter.contents(video.schema)
        for target, rows in _split(video, targets):
            yield _write(plan, target, [rows], videos=[video.extracted], contents=contents)


def _split(video: VideoRows, targets: Sequence[Target]) -> Iterator[tuple[Target, VideoRows]]:
    """The rows for each file: of the whole video, or of one person in it."""
    if len(targets) == 1:
        yield targets[0], video
        return
    table = pa.Table.from_batches(video.batches, video.schema)
    for target in targets:
        mine = table.filter(pc.equal(table.column("track"), target.track))
        yield target, replace(video, rows=mine.num_rows, batches=iter(mine.to_batches()))


def _write(
    plan: ExportPlan,
    target: Target,
    rows: Iterable[VideoRows],
    *,
    videos: Sequence[ExtractedVideo],
    contents: Contents,
) -> ExportedFile:
    with _new_file(target.path) as file:
        remarks = plan.exporter.write(file, target.path, rows)
    return ExportedFile(
        target.path, tuple(video.video for video in videos), videos[0].card, contents, remarks
    )


def _write_note(plan: ExportPlan, done: Sequence[ExportedFile], version: str) -> None:
    """The note of a file is its own; that of a folder keeps what earlier exports into it noted."""
    if not done:
        return
    text = note_text(plan.format, plan.source, done, version)
    if plan.note.exists() and done[0].path != plan.place:
        before = plan.note.read_text(errors="replace")
        text = before if text in before else f"{before}\n{text}"
    with _new_file(plan.note) as note:
        note.write(text.encode())


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            yield file
    except OSError as error:
        # Its own advice is for `extract`, which goes on where it stopped.
        cause = error.__cause__ if isinstance(error, OutputError) else error
        if not isinstance(cause, OSError) or isinstance(cause, AucliError):
            raise  # not about this file
        raise OutputError(
            f"cannot write {path}: {cause.strerror or cause}; make room or choose another output with -o; "
            "files written before it are complete, and --overwrite writes them again"
        ) from cause


def _counted(videos: Iterator[VideoRows], on_rows: Callable[[int], None]) -> Iterator[VideoRows]:
    """The same videos, with each row reported once: when it is read, or when its video is done."""
    for video in videos:
        seen = 0

        def batches(video: VideoRows = video) -> Iterator[pa.RecordBatch]:
            nonlocal seen
            for batch in video.batches:
                seen += batch.num_rows
                on_rows(batch.num_rows)
                yield batch

        yield replace(video, batches=batches())
        on_rows(video.rows - seen)
