"""`aucli models import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aucli.cli.models.pull import tell
from aucli.cli.models.shared import entry_json, json_option, print_json


def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .pth file of the authors, their zip of several, or SCC's snapshot_10.ckpt.",
        ),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What to call it; else found from what is in it.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Install a checkpoint of the authors of ME-GraphAU, OpenGraphAU, MDHR or SCC.

    System, backbone, AUs and stage are recognised from the file. It is loaded strictly, and nothing in it
    is run. A third of its size is kept: the weights, not the optimiser's state.
    """
    from aucli.zoo.import_official import import_file as install

    entries = install(file, name=name)
    if as_json:
        print_json([entry_json(entry) for entry in entries])
    else:
        tell(entries)
