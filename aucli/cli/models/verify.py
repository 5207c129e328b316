"""`aucli models verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from aucli.cli.models.shared import entry_json, json_option, name_argument, print_json

EXIT_NOT_OK = 3


def verify(
    name: Annotated[str | None, name_argument("One model; without it, all that are installed.")] = None,
    *,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Compare the weights with the checksums recorded when they were installed.

    Exit code 3: a model is not ok, that is, its weights are missing or changed or have no checksum, so
    that extract would refuse it.
    """
    from aucli.cli.summary import stdout_console
    from aucli.zoo import store
    from aucli.zoo.catalogue import find, known

    entries = [find(name)] if name else [status.entry for status in known().values() if status.entry]
    states = {entry.card.name: (store.verify(entry), entry) for entry in entries}
    if as_json:
        print_json([entry_json(entry) | {"state": str(state)} for state, entry in states.values()])
    else:
        console = stdout_console()
        for model, (state, entry) in states.items():
            place = "" if state is store.State.OK else f": {entry.weights_path}"
            console.print(
                f"{state.upper() if place else state:10}  {model}{place}", markup=False, soft_wrap=True
            )
    if any(state is not store.State.OK for state, _ in states.values()):
        raise typer.Exit(EXIT_NOT_OK)
