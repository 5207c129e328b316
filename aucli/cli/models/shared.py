"""What several of the commands need: arguments, words, a model as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from aucli.zoo.card import Card
    from aucli.zoo.catalogue import Entry, Status


def name_argument(text: str) -> Any:
    """An argument NAME that the shell completes."""
    return typer.Argument(metavar="NAME", help=text, show_default=False, autocompletion=_names)


def json_option() -> Any:
    return typer.Option("--json", help="Print JSON instead of text.")


def _names() -> list[str]:
    from aucli.zoo.catalogue import BUILTIN, known

    return [BUILTIN, *known()]


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def status_of(model: str) -> Status:
    """The model of that name, installed or not, or of that file.

    Raises:
        UnknownModelError, CheckpointError: see `zoo.catalogue.find`.
    """
    from aucli.zoo.catalogue import BUILTIN, BUILTIN_NAME, Status, find, known

    name = BUILTIN_NAME if model == BUILTIN else model
    models = known()
    if name in models:
        return models[name]
    entry = find(model)
    return Status(entry.card, "imported", entry)


def default_name() -> str:
    """The full name of the default model, or its file where it is one."""
    from aucli.zoo.catalogue import BUILTIN, BUILTIN_NAME
    from aucli.zoo.default import default_model

    model = default_model()
    return BUILTIN_NAME if model == BUILTIN else model


def entry_json(entry: Entry) -> dict[str, Any]:
    """An installed model in brief."""
    return {
        "name": entry.card.name,
        "sha256": entry.card.sha256,
        "path": str(entry.weights_path),
        "licence": entry.card.licence,
    }


def summary_json(status: Status, *, default: str) -> dict[str, Any]:
    """What `list` says of a model."""
    card = status.card
    return {
        "name": card.name,
        "system": card.system,
        "backbone": card.backbone,
        "au_set": card.au_set,
        "aus": list(card.au_names),
        "intensity_aus": list(card.intensity_aus),
        "stage": card.stage,
        "fold": card.fold,
        "published": dict(card.published),
        "licence": card.licence,
        "origin": status.origin,
        "installed": status.installed,
        "weights_path": str(status.entry.weights_path) if status.entry else None,
        "default": card.name == default,
    }


def installed_word(status: Status) -> str:
    """`packaged`, `yes` or `no`."""
    return "packaged" if status.origin == "packaged" else "yes" if status.installed else "no"


def short_licence(card: Card) -> str:
    """A word or two; `show` has the whole of it."""
    return "research" if "non-commercial" in card.licence else card.licence
