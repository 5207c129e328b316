"""`aucli models pull`, and what `import` tells as well when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from aucli.cli.models.shared import entry_json, json_option, name_argument, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from aucli.zoo.download import Progress
    from aucli.zoo.store import Entry

_SECONDS_BETWEEN_LINES = 5.0


def pull(
    name: Annotated[str, name_argument("A published model, see aucli models list.")],
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use no network; also with the variable AUCLI_OFFLINE=1.")
    ] = False,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Download and install a published model; with it, the other folds of its file.

    Goes on where an earlier download stopped. AUCLI_CACHE names another folder for the models.
    """
    from rich.console import Console

    from aucli.zoo.download import pull as download
    from aucli.zoo.store import installed

    errors = Console(stderr=True)
    before = installed()
    with (_bar if errors.is_terminal else _lines)(errors, name) as progress:
        entry = download(name, offline=offline, progress=progress)
    if as_json:
        print_json(entry_json(entry))
        return
    new = [other for model, other in installed().items() if before.get(model) != other]
    tell([entry, *(other for other in new if other != entry)])


def tell(entries: Sequence[Entry]) -> None:
    """What is installed now, and how to use it."""
    from aucli.cli.summary import stdout_console

    console = stdout_console()
    for entry in entries:
        console.print(f"Installed: {entry.card.name}", markup=False, soft_wrap=True)
    console.print(f"Licence: {entries[0].card.licence}", markup=False, soft_wrap=True)
    console.print(
        f"To use it: aucli extract --model {entries[0].card.name} ..., or always: "
        f"aucli models use {entries[0].card.name}",
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def _bar(console: Console, name: str) -> Iterator[Progress]:
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bars(TextColumn(name, markup=False), *columns, console=console, transient=True) as bars:
        task = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def _lines(console: Console, name: str) -> Iterator[Progress]:
    printed = time.monotonic()

    def progress(done: int, total: int | None) -> None:
        nonlocal printed
        if time.monotonic() - printed >= _SECONDS_BETWEEN_LINES:
            printed = time.monotonic()
            share = f" of {total / 1e6:,.0f}" if total else ""
            console.print(f"aucli: {name}: {done / 1e6:,.0f}{share} MB", markup=False, highlight=False)

    yield progress
