"""Published protocols: which people are trained on and tested on. The lists are in `protocols.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from aucli.errors import UsageError

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
FOLDS = (1, 2, 3)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "protocols.toml").read_text(encoding="utf-8"))


def title(dataset: str) -> str:
    """How the owners write its name."""
    name: str = _table()[dataset]["title"]
    return name


def all_subjects(dataset: str) -> tuple[str, ...]:
    """Everybody in the folds of `bp4d` or `disfa`, in published order."""
    return tuple(subject for part in _table()[dataset]["subject_parts"] for subject in part)


def fold_subjects(dataset: str, part: Part, fold: int | None, *, hold_out: bool = False) -> tuple[str, ...]:
    """People of a part of `bp4d` or `disfa`, in published order.

    hold_out: `train` leaves out the people of `val`, see `held_out`. The published `train` has them.

    Raises:
        UsageError: no fold, or one that is not 1, 2 or 3.
    """
    _check_fold(title(dataset), fold)
    assert fold is not None
    parts: list[list[str]] = _table()[dataset]["subject_parts"]
    if part == "test":
        return tuple(parts[3 - fold])
    trained = [subject for number, some in enumerate(parts) if number != 3 - fold for subject in some]
    kept_back = held_out(trained)
    if part == "val":
        return kept_back
    return tuple(subject for subject in trained if not hold_out or subject not in kept_back)


def published_frames(dataset: str, part: Part, fold: int) -> int | None:
    """Coded frames in the authors' lists; None for `val`, which they have not."""
    counts: list[int] | None = _table()[dataset].get(f"{part}_frames")
    return None if counts is None else counts[fold - 1]


def hybrid_subjects(source: str, part: Part) -> frozenset[str] | None:
    """People of a part of OpenGraphAU's hybrid set; None for sources whose lists are not of people."""
    lists = _table()["hybrid"].get(source)
    return None if lists is None else frozenset(lists[part])


def held_out(subjects: Sequence[str]) -> tuple[str, ...]:
    """The people of `val` where a protocol has none: the last sixth (rounded down, at least one) of those
    trained on, in the order given.

    Raises:
        UsageError: fewer than two people.
    """
    if len(subjects) < 2:
        raise UsageError(f"{len(subjects)} training subject: at least 2 are needed to keep some back for val")
    return tuple(subjects[-max(1, len(subjects) // 6) :])


def _check_fold(name: str, fold: int | None) -> None:
    if fold is None:
        raise UsageError(f"{name} is split into folds 1 to 3: say which one, for instance --fold 1")
    if fold not in FOLDS:
        raise UsageError(f"--fold {fold}: {name} has folds 1 to 3")
