"""What the page has to know of a model and of the colours, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aucli.sinks.draw.palette import THEMES, Colour, ink_on
from aucli.sinks.frames import MAX_INTENSITY
from aucli.sinks.tables.analysis import INTENSITY_THRESHOLD
from aucli.zoo.card import Card
from aucli_models.au import region, title


def legend_json(card: Card, au_names: Sequence[str]) -> dict[str, Any]:
    """A model's AUs in the order of the values.

    measure: `probability`, or `intensity` of a model that gives these alone: then values and thresholds are
    fifths of it, so that they are 0 to 1 too, and an AU is on from the card's threshold, else from grade B.
    """
    top = 1.0 if card.probabilities else MAX_INTENSITY
    return {
        "measure": "probability" if card.probabilities else "intensity",
        "model": card.name,
        "licence": card.licence,
        "aus": [
            {
                "name": au,
                "title": title(au),
                "region": region(au),
                "threshold": card.thresholds.get(au, INTENSITY_THRESHOLD) / top,
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
