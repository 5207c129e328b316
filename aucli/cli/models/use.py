"""`aucli models use`."""

from __future__ import annotations

from typing import Annotated

from aucli.cli.models.shared import default_name, json_option, name_argument, print_json, short_licence


def use(
    name: Annotated[
        str, name_argument("An installed model, builtin, or a file that --model of extract takes.")
    ],
    *,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Make a model the default of extract, for this user.

    --model, AUCLI_MODEL and a --config file still win over it.
    """
    from aucli.zoo.catalogue import BUILTIN, find
    from aucli.zoo.default import default_model, set_default

    set_default(name)
    if as_json:
        print_json({"default": default_name()})
        return
    model = default_model()
    print(f"The default is now {model}, licence: {short_licence(find(model).card)}.")
    if model != BUILTIN:
        print(f"To undo: aucli models use {BUILTIN}")
