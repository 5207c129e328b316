"""Which weights are tested on which fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from aucli.datasets.protocols import FOLDS
from aucli.errors import UsageError
from aucli.zoo.card import Card
from aucli.zoo.catalogue import find, known


def folds_of(fold: int | Literal["all"] | None) -> tuple[int | None, ...]:
    """The folds to test: one, all three, or None for a dataset without folds."""
    return FOLDS if fold == "all" else (fold,)


def models_of_folds(models: Sequence[str], folds: Sequence[int | None]) -> list[tuple[str, Card]]:
    """The installed model of each fold: what `zoo.load` finds it by, and its card.

    models: one name for all folds, in which `{fold}` is replaced by the number; or that of a published
        family (`me_graphau_swin_base.bp4d`), whose weights end in `_fold1` to `_fold3`; or one for each
        fold, which are told apart by the fold on their cards. Whether a model fits is not judged here.

    Raises:
        UsageError: several models for one fold, or none for a fold.
        UnknownModelError, CheckpointError: see `zoo.catalogue.find`.
    """
    if len(models) == 1:
        names = [_of_fold(models[0], fold) for fold in folds]
        return [(name, find(name).card) for name in names]
    chosen = [(model, find(model).card) for model in models]
    by_fold = {card.fold: (model, card) for model, card in chosen}
    if len(folds) == 1 or set(by_fold) != set(folds) or len(chosen) != len(folds):
        raise UsageError(
            f"--model is given {len(models)} times for {len(folds)} test sets: give it once, with {{fold}} "
            "where the number stands, or with --fold all once for each fold"
        )
    return [by_fold[fold] for fold in folds]


def _of_fold(model: str, fold: int | None) -> str:
    if "{fold}" in model:
        if fold is None:
            raise UsageError(f"--model {model}: this dataset has no folds; name one model")
        return model.replace("{fold}", str(fold))
    if fold is not None and model not in known() and f"{model}_fold{fold}" in known():
        return f"{model}_fold{fold}"
    return model
