"""Which models there are, and where their weights lie. Imports no torch at module level."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from aucli.errors import CheckpointError, UnknownModelError
from aucli.zoo.card import Card, read_card
from aucli.zoo.published import published
from aucli.zoo.store import Entry, installed
from aucli.zoo.tensorflow import index_of

__all__ = ["BUILTIN", "BUILTIN_NAME", "Entry", "Status", "find", "known", "packaged", "published", "unknown"]

BUILTIN = "builtin"
BUILTIN_NAME = "me_graphau_resnet10_small.synth"
_HERE = Path(__file__).parent
_CHECKPOINTS = (".pth", ".pt", ".zip", ".index")

Origin = Literal["packaged", "published", "imported"]


@dataclass(frozen=True)
class Status:
    """A model that is known here.

    origin: `packaged` with aucli, `published` by its authors, or `imported` from a file under another name.
    entry: the card and its weights, None while the model is not installed.
    """

    card: Card
    origin: Origin
    entry: Entry | None

    @property
    def installed(self) -> bool:
        return self.entry is not None


@cache
def packaged() -> dict[str, Entry]:
    """The models that ship in the package, by name."""
    found = (read_card(path) for path in sorted((_HERE / "cards").glob("*.json")))
    return {card.name: Entry(card, _HERE / "weights" / card.weights) for card in found}


def known() -> dict[str, Status]:
    """Every model by name: packaged, then published, then what was imported under other names."""
    here = installed()
    found = {name: Status(entry.card, "packaged", entry) for name, entry in packaged().items()}
    for name, card in published().items():
        entry = here.get(name)
        found[name] = Status(entry.card if entry else card, "published", entry)
    for name, entry in here.items():
        found.setdefault(name, Status(entry.card, "imported", entry))
    return found


def find(model: str) -> Entry:
    """The model of that name, `builtin`, or the path of a file.

    A file is a card (.json) with its weights beside it, or a checkpoint as the authors saved it (.pth, .pt,
    or the name of TensorFlow's `.index`): that is read to see what it is, and gets a card as if it were
    imported.

    Raises:
        UnknownModelError: none of these, the nearest names are listed; or a published model that is not
            installed, with the commands that install it.
        CheckpointError: the path is no card and no checkpoint.
    """
    if model == BUILTIN:
        model = BUILTIN_NAME
    if model in packaged():
        return packaged()[model]
    names = known()
    if model in names:
        entry = names[model].entry
        if entry is None:
            raise UnknownModelError(
                f"{model} is not installed: run `aucli models pull {model}` (needs a network), or "
                f"`aucli models import FILE` with the file from {names[model].card.source}"
            )
        return entry
    path = Path(model)
    path = index_of(path) or path
    if path.is_dir():
        raise CheckpointError(f"{model}: a folder is no model; give the card's .json or the .pth file in it")
    if path.is_file():
        if path.suffix.lower() in _CHECKPOINTS:
            from aucli.zoo.import_official import official_entry

            return official_entry(path)
        return _beside(path)
    raise unknown(model)


def unknown(model: str) -> UnknownModelError:
    """The error that says that there is no such model, and which names are near."""
    near = difflib.get_close_matches(model, [BUILTIN, *known()], n=3, cutoff=0.4) or [BUILTIN]
    return UnknownModelError(
        f"no model {model!r}: neither a known name nor a card or checkpoint file; try {' or '.join(near)}"
    )


def _beside(path: Path) -> Entry:
    """The card in that file and the weights beside it."""
    if path.suffix != ".json":
        raise CheckpointError(
            f"{path}: neither a model card nor a checkpoint; "
            "give the card's .json file beside the weights, or the authors' .pth file"
        )
    card = read_card(path)
    # The card may come from anywhere: its weights are looked for beside it and nowhere else.
    if Path(card.weights).name != card.weights:
        raise CheckpointError(f"{path}: weights must be a file name beside the card, not {card.weights!r}")
    return Entry(card, path.parent / card.weights)
