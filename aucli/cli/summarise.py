"""`aucli summary`: its options, then two tables; `summary.py` here is the table at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aucli.cli import analysis_options as shared
from aucli.cli.options import Extraction


def summarise(
    context: typer.Context,
    extraction: Extraction,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write all figures to this .csv, .parquet or .json file; those of pairs of AUs beside it.",
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """How much of the time each AU is on, how often, how strong, and which AUs go together.

    For each person in each video. Each frame counts for the time that it is shown, so that neither a variable
    frame rate nor extract --every changes a figure.
    """
    options = shared.read_options(context.params)
    from aucli.cli.analysis_tables import show_notes, show_summary  # these import pyarrow and rich
    from aucli.cli.models.shared import print_json
    from aucli.cli.summary import stdout_console
    from aucli.sinks.tables.analysis import Analysis
    from aucli.sinks.tables.file import as_json as json_of
    from aucli.sinks.tables.file import check_place, write_tables
    from aucli.sinks.tables.summary import MEANINGS, PAIR_MEANINGS, summary_tables

    if output is not None:
        check_place(output, extraction)
    analysis = Analysis(extraction, options)
    aus, pairs = summary_tables(analysis)
    tables = {"aus": aus, "pairs": pairs}
    written = []
    if output is not None:
        meanings = {"aus": MEANINGS, "pairs": PAIR_MEANINGS}
        written = write_tables(output, tables, analysis.settings(), meanings)
    show_notes(analysis, as_json=as_json)
    if as_json:
        print_json(json_of(tables, {"settings": analysis.settings()}))
        return
    console = stdout_console()
    show_summary(aus, pairs, analysis, console)
    for path in written:
        console.print(f"Written: {path}", markup=False, soft_wrap=True)
