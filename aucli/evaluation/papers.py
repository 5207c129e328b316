"""F1 that papers report for the same protocol, to be shown beside measured figures and never among them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aucli.zoo.published import published
from aucli_models.au import AU_SETS

PROTOCOLS = ("bp4d", "disfa")
"""AU sets that are tested in three folds of fixed subjects, with 0.5 on the network's output."""


@dataclass(frozen=True)
class PaperRow:
    """What a paper reports: F1 as a fraction, mean over the three folds; f1 per AU is empty if not given."""

    system: str
    backbone: str
    source: str
    mean_f1: float
    f1: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def protocol_of(dataset: str, au_names: tuple[str, ...]) -> str | None:
    """The AU set whose published protocol a dataset follows, None if it is another one.

    The authors' list files (`me-lists`) are of BP4D or DISFA; their AUs tell which.
    """
    for au_set in PROTOCOLS:
        if dataset.lower() in (au_set, "me-lists") and au_names == AU_SETS[au_set]:
            return au_set
    return None


def paper_rows(au_set: str) -> list[PaperRow]:
    """All known rows of that protocol, in the order of publication."""
    rows = {
        (card.system, card.backbone): PaperRow(
            "ME-GraphAU", card.backbone, card.citations[0], card.published["mean_f1"], card.published_f1
        )
        for card in published().values()
        if card.au_set == au_set and card.system == "me_graphau" and "mean_f1" in card.published
    }
    file = Path(__file__).parent / "papers.toml"
    later = [row for row in tomllib.loads(file.read_text(encoding="utf-8"))["row"] if row["au_set"] == au_set]
    return [
        *rows.values(),
        *(PaperRow(**{k: v for k, v in row.items() if k != "au_set"}) for row in later),
    ]
