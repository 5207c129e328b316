"""A run of `aucli prepare` with everything that a person or a program sees of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from aucli.cli.progress import progress_for
from aucli.cli.summary import show_problems, show_table, stdout_console
from aucli.config import extract_config
from aucli.datasets.prepared import TABLE
from aucli.inference.prepare import PrepareResult, prepare
from aucli.inference.prepare_recording import PrepareConfig
from aucli.inference.supervisor import stop_on_sigterm
from aucli.sinks.report import exit_code


def run_and_show(
    dataset: str,
    raw: Path,
    output: Path,
    settings: Mapping[str, Any],
    *,
    picture_format: Any,
    fresh: bool,
    command_line: Sequence[str],
    as_json: bool,
    quiet: bool,
) -> int:
    """Prepare, show progress on stderr and the result on stdout; returns the exit code.

    Raises:
        AucliError: see `prepare`.
    """
    checked = extract_config(settings)  # the same ranges and words as for extract
    config = PrepareConfig(
        detector=checked.detector,
        decoder=checked.decoder,
        detect_every=checked.detect_every,
        min_face=checked.min_face,
        picture_format=picture_format,
        device=checked.device,
        jobs=checked.jobs,
    )
    errors = Console(stderr=True)
    progress = progress_for(errors, quiet=quiet)
    with progress, stop_on_sigterm():
        result = prepare(
            dataset, raw, output, config, fresh=fresh, command_line=command_line, on_event=progress
        )
    if as_json:
        json.dump(result.report.to_json(), sys.stdout, indent=2, ensure_ascii=False)
        print()
    if as_json or quiet:
        show_problems(result.report, errors)
    else:
        _show(result, dataset, stdout_console())
    return exit_code(result.report.entries)


def _show(result: PrepareResult, dataset: str, console: Console) -> None:
    show_table(result.report, console)
    entries = result.report.entries
    coded, there, faces = (
        sum(getattr(entry, name) for entry in entries) for name in ("rows", "frames", "faces")
    )
    console.print(
        f"{coded:,} coded frames: {faces:,} crops, {there - faces:,} without a face, "
        f"{coded - there:,} not there or unreadable (column `status`)."
    )
    if result.output is not None:
        console.print(
            f"Written: {result.output / TABLE} and the crops beside it; use it as "
            f"--dataset {dataset.lower()} --root {result.output}",
            markup=False,
            soft_wrap=True,
        )
