"""A run of `aucli annotate` with everything that a person or a program sees of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from aucli.cli.progress import progress_for
from aucli.cli.summary import show_model, show_problems, show_table, stdout_console
from aucli.config import ExtractConfig
from aucli.inference.annotate import run_annotate
from aucli.inference.supervisor import stop_on_sigterm
from aucli.media.codecs import Encoding
from aucli.sinks.draw.look import Look
from aucli.zoo.catalogue import find

_FILES_SHOWN = 20


def run_and_show(
    inputs: Sequence[str | Path],
    output: str | None,
    config: ExtractConfig,
    *,
    rows_from: Path | None,
    look: Look,
    encoding: Encoding,
    fresh: bool,
    command_line: Sequence[str],
    as_json: bool,
    quiet: bool,
) -> int:
    """Annotate, show progress on stderr and the result on stdout; returns the exit code.

    Raises:
        AucliError: see `run_annotate`.
    """
    errors = Console(stderr=True)
    progress = progress_for(errors, quiet=quiet)
    with progress, stop_on_sigterm():
        result = run_annotate(
            inputs,
            output,
            config,
            rows_from=rows_from,
            look=look,
            encoding=encoding,
            fresh=fresh,
            command_line=command_line,
            on_event=progress,
        )
    report = result.report
    if as_json:
        json.dump(
            report.to_json() | {"exit_code": result.exit_code}, sys.stdout, indent=2, ensure_ascii=False
        )
        print()
    if as_json or quiet:
        show_problems(report, errors)
        return result.exit_code
    console = stdout_console()
    show_table(report, console)
    written = [entry for entry in report.entries if entry.file]
    said: set[str] = set()  # the same note of many files is read once
    for entry in written[:_FILES_SHOWN]:
        console.print(f"Written: {entry.file}", markup=False, soft_wrap=True)
        for note in entry.notes:
            if note not in said:
                console.print(f"  {note}", markup=False, soft_wrap=True)
        said |= set(entry.notes)
    if len(written) > _FILES_SHOWN:
        console.print(f"Written: {len(written) - _FILES_SHOWN} more")
    if rows_from is None and written:
        show_model(find(config.model).card, console)
    return result.exit_code
