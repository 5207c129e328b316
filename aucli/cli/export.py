"""`aucli export`: its options, then one call of `aucli.sinks.export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aucli.cli.options import Extraction, output_option
from aucli.errors import UsageError

FORMATS = ("openface", "pyfeat", "libreface", "csv", "json", "elan", "annotator-table")
"""Those of `aucli.sinks.export.ExportFormat`, which is not imported for --help; a test compares them."""


def export(
    extraction: Extraction,
    *,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="|".join(FORMATS), help="What to write.", autocompletion=lambda: list(FORMATS)
        ),
    ] = None,
    output: Annotated[
        str | None,
        output_option(
            "csv, json and annotator-table write one file, the others one per video into a folder. "
            "Default: out.csv, out.jsonl, out_openface/, ... beside the input."
        ),
    ] = None,
    videos: Annotated[
        list[str] | None, typer.Option("--video", metavar="NAME", help="Only this video; again for others.")
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="elan: folder below which the videos lie. Default: where extract found them.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was written, and what is empty in it, as JSON.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Results in the files that OpenFace, py-feat, LibreFace, ELAN, tables and coders work with.

    A column that aucli has nothing for is there and empty. The note beside the output names those columns,
    what the format has no place for, and the model.
    """
    if format_name is None:
        raise UsageError(f"no format: give --format with one of {', '.join(FORMATS)}")
    from aucli.cli.export_run import run_and_show  # these import pyarrow and rich

    run_and_show(
        extraction,
        format_name,
        output,
        only=videos or [],
        media=media,
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
    )
