"""A run of `aucli merge` with what a person or a program sees of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console

from aucli.cli.summary import show_problems, show_table, show_written, stdout_console
from aucli.sinks.merge import merge_shards


def merge_and_show(
    outputs: Sequence[str], output: str, *, command_line: Sequence[str], as_json: bool, quiet: bool
) -> int:
    """Merge, and show the report of all shards; returns the exit code.

    Raises:
        AucliError: see `merge_shards`.
    """
    merged = merge_shards(outputs, output, command_line=command_line)
    errors = Console(stderr=True)
    for remark in merged.remarks:
        errors.print(f"aucli: {remark}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        json.dump(merged.report.to_json(), sys.stdout, indent=2, ensure_ascii=False)
        print()
    if as_json or quiet:
        show_problems(merged.report, errors)
        return merged.report.exit_code
    console = stdout_console()
    show_table(merged.report, console)
    if merged.output is not None:
        show_written(merged.output, console)
    return merged.report.exit_code
