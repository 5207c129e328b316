"""Whether a model has seen the people that it would be tested on."""

from __future__ import annotations

import re

from aucli.evaluation.papers import PROTOCOLS as _FOLDED
from aucli.evaluation.papers import protocol_of
from aucli.zoo.card import Card
from aucli.zoo.published import published
from aucli_models.au import AU_SETS

# What datasets are called in the `training_data` of cards, and which of them each dataset contains.
_WORDS = {
    "bp4d": ("BP4D",),
    "disfa": ("DISFA",),
    "hybrid": ("BP4D", "DISFA", "CK+", "RAF-AU", "CASME II", "Aff-Wild2"),
    "me-lists": ("BP4D", "DISFA"),  # where their AUs do not tell which of them
    "synthfaces": ("synthfaces",),
    "table": ("table",),
}


def find_leak(card: Card, dataset: str, au_names: tuple[str, ...], part: str, fold: int | None) -> str | None:
    """Why testing this model here would flatter it, in words; None where nothing speaks for that.

    A card names its training data and, for the protocols in folds, its fold: weights of fold k have seen
    everybody but the test subjects of fold k.
    """
    name = dataset_name(dataset, au_names)
    fitted = card.fitted_on
    if fitted and fitted["dataset"] == name and fitted["fold"] != fold:
        return f"the thresholds of {card.name} were fitted in fold {fitted['fold']}, on people of this part"
    here = {word for word in _WORDS.get(name, ()) if _names(card.training_data, word)}
    there = {word for words in _WORDS.values() for word in words if _names(card.training_data, word)}
    title, trained = ", ".join(sorted(here)), f"{card.name} was trained on"
    if not here:
        return None
    if there != set(_WORDS[name]):
        return f"{trained} {', '.join(sorted(there))}, of which {title} is tested here"
    reason = None
    if part == "train":
        reason = f"this part of {title}"
    elif fold is not None and card.fold is None:
        reason = f"{title}, and its card does not say on which fold"
    elif fold != card.fold:
        reason = f"fold {card.fold} of {title}, that is on people of this part"
    elif part == "val" and _learnt_val(card):
        reason = f"people of this part of {title}"
    return reason and f"{trained} {reason}"


def doubts(card: Card, dataset: str, au_names: tuple[str, ...], part: str, fold: int | None) -> list[str]:
    """What speaks against taking the figures at face value, one sentence each."""
    name = dataset_name(dataset, au_names)
    if name == "table" and not _names(card.training_data, "table"):
        return [f"Whether {card.name} has seen people of this set is not known here; see its training data."]
    if card.fitted_on and [card.fitted_on[key] for key in ("dataset", "part", "fold")] == [name, part, fold]:
        return [
            f"The thresholds and the calibration of {card.name} were fitted to this part: what is decided by "
            "them flatters the model."
        ]
    if name in _FOLDED and _by_its_authors(card) and card.fold is not None:
        return [
            f"That {card.name} is of fold {card.fold} is what the name of its authors' file says; an F1 far "
            "above the published one would mean that it is of another."
        ]
    return []


def dataset_name(dataset: str, au_names: tuple[str, ...]) -> str:
    """`bp4d`, `disfa` and `hybrid` also for the authors' lists of them, else its own name."""
    if dataset.lower() == "me-lists" and au_names == AU_SETS["hybrid"]:
        return "hybrid"
    return protocol_of(dataset, au_names) or dataset.lower()


def _learnt_val(card: Card) -> bool:
    """The authors' recipes keep no validation subjects back; our own cards say what was done."""
    if card.learnt_val is None:
        return card.fold is not None and _by_its_authors(card)
    return card.learnt_val


def _by_its_authors(card: Card) -> bool:
    """Whether it comes from a checkpoint of the authors."""
    return bool(card.published) or card.name in published() or "source_file" in card.recorded


def _names(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w+-]){re.escape(word)}(?![\w+-])", text, flags=re.IGNORECASE) is not None
