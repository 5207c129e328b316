"""`aucli events`: its options, then one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aucli.cli import analysis_options as shared
from aucli.cli.options import Extraction


def events(
    context: typer.Context,
    extraction: Extraction,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write all events to this .csv, .parquet or .json file."
        ),
    ] = None,
    au: shared.Aus = None,
    baseline: shared.Baseline = None,
    all_faces: shared.AllFaces = False,
    threshold: shared.Thresholds = None,
    enter: shared.Enter = shared.ENTER,
    leave: shared.Leave = shared.LEAVE,
    min_duration: shared.MinDuration = shared.MIN_DURATION,
    max_gap: shared.MaxGap = shared.MAX_GAP,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Onset, apex, offset, duration and peak of each AU, for each person in each video.

    An event begins when a value reaches the threshold and ends when it falls below a lower one. Times are
    those of the video's frames; an event that a track's beginning or end cuts off is marked.
    """
    options = shared.read_options(context.params)
    from aucli.cli.analysis_tables import show_events, show_notes  # these import pyarrow and rich
    from aucli.cli.models.shared import print_json
    from aucli.cli.summary import stdout_console
    from aucli.sinks.tables.analysis import Analysis
    from aucli.sinks.tables.events import MEANINGS, event_table
    from aucli.sinks.tables.file import as_json as json_of
    from aucli.sinks.tables.file import check_place, write_tables

    if output is not None:
        check_place(output, extraction)
    analysis = Analysis(extraction, options)
    tables = {"events": event_table(analysis)}
    written = (
        [] if output is None else write_tables(output, tables, analysis.settings(), {"events": MEANINGS})
    )
    show_notes(analysis, as_json=as_json)
    if as_json:
        print_json(json_of(tables, {"settings": analysis.settings()}))
        return
    console = stdout_console()
    show_events(tables["events"], analysis, console)
    for path in written:
        console.print(f"Written: {path}", markup=False, soft_wrap=True)
