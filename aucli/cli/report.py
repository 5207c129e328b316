"""`aucli report`: its options, then one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aucli.cli import analysis_options as shared
from aucli.cli.options import Extraction


def report(
    context: typer.Context,
    extraction: Extraction,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.HTML",
            help="Page to write. Default: out.report.html beside out.parquet, report.html in a folder.",
            show_default=False,
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
) -> None:
    """One web page about a run: videos, people, AUs over time, methods paragraph and citations.

    The page holds everything it shows and loads nothing. It says which model and thresholds were used, which
    inputs failed, and what to know before believing the figures.
    """
    options = shared.read_options(context.params)
    from aucli.cli.analysis_tables import show_notes  # these import pyarrow and rich
    from aucli.sinks.tables.analysis import Analysis
    from aucli.viewer.report import check_place, write_report

    beside = extraction / "report.html" if extraction.is_dir() else extraction.with_suffix(".report.html")
    page = output or beside
    check_place(page, extraction)
    analysis = Analysis(extraction, options)
    write_report(analysis, page)
    show_notes(analysis, as_json=False)
    print(f"Written: {page}")
