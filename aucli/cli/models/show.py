"""`aucli models show`."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

from aucli.cli.models.shared import (
    default_name,
    installed_word,
    json_option,
    name_argument,
    print_json,
    status_of,
    summary_json,
)

if TYPE_CHECKING:
    from rich.table import Table

    from aucli.zoo.card import Card


def show(
    name: Annotated[str, name_argument("A model's name, or a file that --model of extract takes.")],
    *,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Everything that is known about one model."""
    from aucli.cli.summary import stdout_console

    status = status_of(name)
    card = status.card
    if as_json:
        print_json(card.to_json() | summary_json(status, default=default_name()))
        return
    console = stdout_console()
    lines = {
        "model": card.name + (" (the default)" if card.name == default_name() else ""),
        "what": card.description,
        "network": f"{card.system} on {card.backbone}, stage {card.stage}"
        + (f", fold {card.fold}" if card.fold else ""),
        "clips": _clips(card) if card.reads_clips else "",
        "licence": card.licence,
        "training": card.training_data,
        "published": ", ".join(f"{_words(key)} {value:.4g}" for key, value in card.published.items()),
        "crop": f"{card.crop.size} pixels, scale {card.crop.scale:g}, shift {card.crop.shift_y:g}",
        "weak AUs": f"{', '.join(card.weak_aus)}: draw no conclusions from them" if card.weak_aus else "",
        "intensities": f"0 to 5, written for {', '.join(card.intensity_aus)}" if card.intensity_aus else "",
        "source": card.source or "",
        "installed": installed_word(status),
        "weights": str(status.entry.weights_path) if status.entry else "",
        "sha256": (card.sha256 or "") if status.entry else "",
        **{_words(key): value for key, value in card.recorded.items()},
    }
    paragraphs = [
        *((heading, text) for heading, text in lines.items() if text),
        *(("note", note) for note in card.notes),
        *(("cite", citation) for citation in card.citations),
    ]
    indent = max(len(heading) for heading, _ in paragraphs) + 2
    for heading, text in paragraphs:
        # Neither paths nor links are broken, so that they can be copied.
        wrapped = wrap(text, max(20, console.width - indent), break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(wrapped):
            start = "" if number else heading
            console.print(f"{start:{indent}}{line}", markup=False, soft_wrap=True)
    console.print(_table(card))
    if status.entry is None:
        console.print(f"To install it: aucli models pull {card.name}", markup=False, soft_wrap=True)


def _clips(card: Card) -> str:
    rate = "" if card.frame_rate is None else f", at {card.frame_rate:g} frames a second"
    return f"of {card.clip_frames} consecutive frames in training{rate}"


def _table(card: Card) -> Table:
    """One row per AU, with the columns for which there are figures."""
    from rich import box
    from rich.table import Table

    from aucli_models.au import facs_order, title

    columns = {
        "threshold": card.thresholds,
        "published F1": card.published_f1,
        **{
            f"validation {_words(key)}": {
                au: figures[key] for au, figures in card.validation.items() if key in figures
            }
            for key in dict.fromkeys(key for figures in card.validation.values() for key in figures)
        },
    }
    columns = {heading: values for heading, values in columns.items() if values}
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    table.add_column("AU")
    table.add_column("name")
    for heading in columns:
        table.add_column(heading, justify="right")
    for au in sorted(card.au_names, key=facs_order):
        figures = (f"{values[au]:.3f}" if au in values else "" for values in columns.values())
        table.add_row(au, title(au) + (" (weak)" if au in card.weak_aus else ""), *figures)
    return table


def _words(key: str) -> str:
    short = {"f1": "F1", "mean_f1": "mean F1", "auc": "AUC", "icc": "ICC", "mae": "MAE"}
    return short.get(key, key.replace("_", " "))
