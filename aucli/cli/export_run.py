"""A run of `aucli export` with everything that a person or a program sees of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from aucli import __version__
from aucli.cli.summary import stdout_console
from aucli.datatypes import counted
from aucli.sinks.export.contents import Contents
from aucli.sinks.export.note import ExportedFile
from aucli.sinks.export.plan import plan_export
from aucli.sinks.export.run import run_export
from aucli.sinks.export.table import ranges

_FILES_SHOWN = 20


def run_and_show(
    source: Path,
    format_name: str,
    output: str | None,
    *,
    only: Sequence[str],
    media: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Export, show progress on stderr and the files with their notes on stdout.

    Raises:
        AucliError: see `plan_export` and `run_export`.
    """
    plan = plan_export(source, format_name, output, only=only, media=media, overwrite=overwrite)
    columns = (
        TextColumn("export"),
        BarColumn(),
        TextColumn("{task.completed:,} rows"),
        TimeRemainingColumn(),
    )
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=quiet or not errors.is_terminal) as bar:
        task = bar.add_task("export", total=plan.rows)
        files = list(run_export(plan, version=__version__, on_rows=lambda rows: bar.advance(task, rows)))
    if as_json:
        result = {
            "format": format_name,
            "source": str(source),
            "note": str(plan.note),
            "files": [_as_json(file) for file in files],
        }
        json.dump(result, sys.stdout, indent=2, ensure_ascii=False)
        print()
    elif not quiet:
        _show(files, plan.note, stdout_console())


def _as_json(file: ExportedFile) -> dict[str, Any]:
    return {
        "file": str(file.path),
        "videos": list(file.videos),
        "empty": ranges(file.contents.empty),
        "left_out": ranges(file.contents.left_out),
        "remarks": [*file.contents.remarks, *file.remarks],
    }


def _show(files: Sequence[ExportedFile], note: Path, console: Console) -> None:
    """The files, and once for all of them what is empty and left out."""
    for file in files[:_FILES_SHOWN]:
        console.print(f"Written: {file.path}", markup=False, soft_wrap=True)
        for remark in file.remarks:
            console.print(f"  {remark}.", markup=False, soft_wrap=True)
    if len(files) > _FILES_SHOWN:
        console.print(f"Written: {len(files) - _FILES_SHOWN} more")
    for contents in dict.fromkeys(file.contents for file in files):
        for sentence in _sentences(contents):
            console.print(sentence, markup=False, soft_wrap=True)
    console.print(f"Note: {note}", markup=False, soft_wrap=True)


def _sentences(contents: Contents) -> list[str]:
    sentences = [f"{remark}." for remark in contents.remarks]
    if contents.empty:
        sentences.append(f"Empty: {', '.join(ranges(contents.empty))}.")
    if contents.left_out:
        columns = counted(len(contents.left_out), "column")
        sentences.append(f"Without a place in this format: {columns} of the extraction, named in the note.")
    return sentences
