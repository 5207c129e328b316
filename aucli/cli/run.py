"""A run with everything that a person or a program sees of it; what `extract` and `demo` share."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from aucli.cli.profile import show_profile
from aucli.cli.progress import progress_for
from aucli.cli.summary import show_model, show_problems, show_table, show_written, stdout_console
from aucli.config import ExtractConfig
from aucli.datatypes import Shard
from aucli.inference.extract import run_extract
from aucli.inference.supervisor import stop_on_sigterm
from aucli.zoo.catalogue import find


def run_and_show(
    inputs: Sequence[str | Path],
    output: str | Path,
    config: ExtractConfig,
    *,
    fresh: bool = False,
    fail_fast: bool = False,
    shard: Shard | None = None,
    engine: str = "local",
    scheduler: str | None = None,
    command_line: Sequence[str] = (),
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Run `extract`, show its progress on stderr and its result on stdout; returns the exit code.

    as_json: the result is the report as one JSON document, and nothing else goes to stdout.
    quiet: no progress and no table; problems still go to stderr.

    Raises:
        AucliError: see `run_extract`.
    """
    errors = Console(stderr=True)
    progress = progress_for(errors, quiet=quiet)
    with progress, stop_on_sigterm():
        result = run_extract(
            inputs,
            output,
            config,
            fresh=fresh,
            fail_fast=fail_fast,
            shard=shard,
            engine=engine,
            scheduler=scheduler,
            command_line=command_line,
            on_event=progress,
        )
    if as_json:
        json.dump(result.report.to_json(), sys.stdout, indent=2, ensure_ascii=False)
        print()
    if as_json or quiet:
        show_problems(result.report, errors)
    else:
        console = stdout_console()
        show_table(result.report, console)
        if result.output is not None:
            show_written(result.output, console)
        show_model(find(config.model).card, console)
        if config.profile is not None:
            show_profile(result.profile, config.profile, console)
    return result.exit_code
