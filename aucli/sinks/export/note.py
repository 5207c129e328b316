"""The note of an export: what the files were made from, what is empty in them, and what to know."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aucli.sinks.export.contents import Contents
from aucli.sinks.export.table import ranges

_WIDTH = 100
_NAMED = 20


@dataclass(frozen=True)
class ExportedFile:
    """One file of an export: which videos it is about, by which model, and what it holds.

    card: the model's, as JSON. remarks: on this file alone, a sentence each.
    """

    path: Path
    videos: tuple[str, ...]
    card: Mapping[str, Any]
    contents: Contents
    remarks: tuple[str, ...] = ()


def note_text(format_name: str, source: Path, files: Sequence[ExportedFile], version: str) -> str:
    """The note as it is written. version: of aucli."""
    lines = [f"{format_name}, written by aucli {version} from {source.name or source.resolve().name}."]
    groups: dict[tuple[str, Contents], list[ExportedFile]] = {}
    for file in files:
        model = json.dumps([file.card.get("name"), file.card.get("sha256")])
        groups.setdefault((model, file.contents), []).append(file)
    for (_, contents), alike in groups.items():
        lines += [f"Files: {_some([file.path.name for file in alike])}."]
        lines += [f"Videos: {_some([video for file in alike for video in file.videos])}."]
        lines += [*_about_model(alike[0].card), *(f"{remark}." for remark in contents.remarks)]
        if contents.empty:
            names = ", ".join(ranges(contents.empty))
            lines.append(f"Empty, because the extraction has nothing for them: {names}.")
        if contents.left_out:
            names = ", ".join(ranges(contents.left_out))
            lines.append(f"In the extraction, but without a place in this format: {names}.")
        lines += [f"{file.path.name}: {remark}." for file in alike for remark in file.remarks]
    wrap = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(wrap.fill(line) for line in lines) + "\n"


def _about_model(card: Mapping[str, Any]) -> list[str]:
    """Which model the numbers are from, and what they must not be used for."""
    lines = [
        f"Model {card.get('name')}. Licence: {card.get('licence')}. Trained on: {card.get('training_data')}"
    ]
    if card.get("weak_aus"):
        lines.append(
            f"Its figures for {', '.join(card['weak_aus'])} are weak: draw no conclusions from them."
        )
    return lines


def _some(names: Sequence[str]) -> str:
    """The first of the names, each once, and how many more there are."""
    names = list(dict.fromkeys(names))
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
