"""Forms of options and arguments that several commands have, so that a command says only what is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

Extraction = Annotated[
    Path, typer.Argument(metavar="OUT.PARQUET", help="What extract has written: its file or its folder.")
]


def value_option(panel: str | None, metavar: str, text: str, *names: str, default: str | None = None) -> Any:
    """An option with a value, called as its parameter unless named. default: what holds where the command
    line does not say; to Typer it is None, "not given here".
    """
    return typer.Option(*names, metavar=metavar, help=_with_default(text, default), rich_help_panel=panel)


def one_of_option(panel: str | None, choices: Any, text: str, *, default: str | None = None) -> Any:
    """An option with one of the values of a Literal, which the shell completes."""
    names = list(get_args(choices))
    return typer.Option(
        metavar="|".join(names),
        help=_with_default(text, default),
        rich_help_panel=panel,
        autocompletion=lambda: names,
    )


def output_option(text: str, *, panel: str | None = None) -> Any:
    """`-o` of a command that writes one file, or one per video into a folder."""
    return value_option(panel, "FILE|FOLDER/", text, "--output", "-o")


def _with_default(text: str, default: str | None) -> str:
    return f"{text} Default: {default}." if default else text
