"""What the page has to know of a model and of the colours, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aucli.sinks.draw.palette import THEMES, Colour, ink_on
from aucli.zoo.card import Card
from aucli_models.au import region, title


def legend_json(card: Card, au_names: Sequence[str]) -> dict[str, Any]:
    """A model's AUs in the order of the values."""
    return {
        "model": card.name,
        "licence": card.licence,
        "aus": [
            {
                "name": au,
                "title": title(au),
                "region": region(au),
                "threshold": card.thresholds[au],
                "weak": au in card.weak_aus,
            }
            for au in au_names
        ],
    }


def palette_json() -> dict[str, Any]:
    """The colours of people, the same as `annotate` draws; with each the ink to write on it."""
    return {
        name: [{"colour": _hex(colour), "ink": _hex(ink_on(colour))} for colour in theme.persons]
        for name, theme in THEMES.items()
    }


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
