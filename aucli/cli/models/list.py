"""`aucli models list`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aucli.cli.models.shared import (
    default_name,
    installed_word,
    json_option,
    print_json,
    short_licence,
    summary_json,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from aucli.zoo.catalogue import Status


def list_models(
    *,
    installed: Annotated[bool, typer.Option("--installed", help="Only those that can be used now.")] = False,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """The models that there are, and which are installed."""
    from aucli.cli.summary import stdout_console
    from aucli.zoo.catalogue import known

    default = default_name()
    shown = [status for status in known().values() if status.installed or not installed]
    if as_json:
        print_json(
            {"default": default, "models": [summary_json(status, default=default) for status in shown]}
        )
        return
    _show(shown, default, stdout_console())


def _show(shown: Sequence[Status], default: str, console: Console) -> None:
    from rich.measure import Measurement

    # What a published name says, too, is left out where the line is too short for everything.
    for left_out in (
        (),
        ("system",),
        ("system", "stage"),
        ("system", "stage", "AU set"),
        ("system", "stage", "AU set", "F1"),
    ):
        table = _table(shown, default, left_out)
        least = Measurement.get(console, console.options.update(max_width=1000), table)
        if console.width >= least.maximum:
            break
    console.print(table)
    console.print("* the default. F1: mean over the AUs as its authors published it.", markup=False)
    if default not in (status.card.name for status in shown):
        console.print(f"The default is {default}.", markup=False, soft_wrap=True)
    console.print("Next: aucli models show NAME, pull NAME, use NAME.", markup=False)


def _table(shown: Sequence[Status], default: str, left_out: Sequence[str]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    headings = ("name", "system", "AU set", "stage", "F1", "licence", "installed")
    kept = [place for place, heading in enumerate(headings) if heading not in left_out]
    for place in kept:
        # A name cut short could not be copied.
        table.add_column(headings[place], overflow="fold" if place == 0 else "ellipsis")
    for status in shown:
        card = status.card
        f1 = card.published.get("mean_f1")
        cells = (
            f"{card.name} *" if card.name == default else card.name,
            card.system,
            f"{card.au_set} {len(card.au_names)}",
            f"{card.stage}" + (f", fold {card.fold}" if card.fold else ""),
            "" if f1 is None else f"{f1:.3f}",
            short_licence(card),
            installed_word(status),
        )
        table.add_row(*(escape(cells[place]) for place in kept))
    return table
