"""`aucli models path`."""

from __future__ import annotations

from typing import Annotated

from aucli.cli.models.shared import json_option, name_argument, print_json


def path(
    name: Annotated[
        str | None, name_argument("A model; without it, the folder of the installed ones.")
    ] = None,
    *,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Where the models lie, or the weights of one."""
    from aucli.zoo.catalogue import find
    from aucli.zoo.store import models_folder

    place = str(models_folder() if name is None else find(name).weights_path)
    if as_json:
        print_json({"path": place})
    else:
        print(place)
