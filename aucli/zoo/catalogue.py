"""Which models there are, and where their weights lie. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from aucli.errors import CheckpointError, UnknownModelError
from aucli.zoo.card import Card, read_card

BUILTIN = "builtin"
BUILTIN_NAME = "me_graphau_resnet10_small.synth"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """A card and the file that holds its weights."""

    card: Card
    weights_path: Path


def packaged() -> dict[str, Entry]:
    """The models that ship in the package, by name."""
    found = (read_card(path) for path in sorted((_HERE / "cards").glob("*.json")))
    return {card.name: Entry(card, _HERE / "weights" / card.weights) for card in found}


def find(model: str) -> Entry:
    """The model of that name, `builtin`, or the path of a card's .json file with its weights beside it.

    Raises:
        UnknownModelError: neither; the nearest names are listed.
        CheckpointError: the path is no card.
    """
    known = packaged()
    if model == BUILTIN:
        return known[BUILTIN_NAME]
    if model in known:
        return known[model]
    path = Path(model)
    if path.is_dir():
        raise CheckpointError(f"{model}: a folder is no model; give the card's .json file in it")
    if path.is_file():
        if path.suffix != ".json":
            raise CheckpointError(f"{model}: not a model card; give the card's .json file beside the weights")
        card = read_card(path)
        # The card may come from anywhere: its weights are looked for beside it and nowhere else.
        if Path(card.weights).name != card.weights:
            raise CheckpointError(
                f"{model}: weights must be a file name beside the card, not {card.weights!r}"
            )
        return Entry(card, path.parent / card.weights)
    names = [BUILTIN, *known]
    near = difflib.get_close_matches(model, names, n=3, cutoff=0.4) or names
    raise UnknownModelError(
        f"no model {model!r}: neither a known name nor a card file; try {' or '.join(near)}"
    )
