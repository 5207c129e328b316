"""`aucli doctor`: what `aucli.inference.health` finds out, as a listing or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from aucli.inference.health import Finding

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    *,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON, with details that the listing leaves out."),
    ] = False,
) -> None:
    """Try each part of the installation, and say what to do where one does not work.

    Takes a few seconds. Exit code 1: extract cannot run with its defaults, the AUCLI_* variables and the
    default model. An option that cannot be used here is only a warning.
    """
    from rich.console import Console

    from aucli.cli.summary import stdout_console
    from aucli.inference.health import examine
    from aucli.inference.supervisor import stop_on_sigterm

    errors = Console(stderr=True)
    with stop_on_sigterm():
        if errors.is_terminal:
            with errors.status("trying each part"):
                findings = examine()
        else:
            findings = examine()
    exit_code = int(any(finding.state == "fail" for finding in findings))
    if as_json:
        value = {"exit_code": exit_code, "findings": [dataclasses.asdict(finding) for finding in findings]}
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _show(findings, stdout_console())
    raise typer.Exit(exit_code)


def _show(findings: Sequence[Finding], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    for section, group in groupby(findings, key=lambda finding: finding.section):
        console.print(f"[bold]{section}[/]")
        members = list(group)
        for finding in members:
            row = Table.grid(padding=(0, 2, 0, 0))
            row.add_column(width=6)
            row.add_column(width=max(len(member.name) for member in members))
            row.add_column(overflow="fold")
            state = f"  [{_STYLES[finding.state]}]{finding.state}[/]"
            row.add_row(state, escape(finding.name), escape(_without_home(finding.text)))
            console.print(row)
            if finding.repair is not None:  # not in the table: it must stay one line to be copied
                console.print(
                    f"        to repair: {_without_home(finding.repair)}", markup=False, soft_wrap=True
                )
    count = {state: sum(finding.state == state for finding in findings) for state in _STYLES}
    works = "[bold red]extract cannot run as it is set up here[/]" if count["fail"] else "extract works"
    console.print(f"\n{works}: {count['ok']} ok, {count['warn']} warn, {count['fail']} fail")


def _without_home(text: str) -> str:
    """The listing is made to be shown to others: the name of the user's folder is nobody's business."""
    home = f"{Path.home()}/"
    return text.replace(home, "~/") if len(home) > 2 else text
