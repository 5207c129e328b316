"""A dataset by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from aucli.datasets.bp4d import read_bp4d
from aucli.datasets.disfa import read_disfa
from aucli.datasets.hybrid import read_hybrid
from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.me_lists import read_me_lists
from aucli.datasets.prepared import TABLE, prepared_metadata
from aucli.datasets.protocols import Part, all_subjects, fold_subjects, held_out, published_frames, title
from aucli.datasets.recordings import Recording, faces_of
from aucli.datasets.selection import of_subjects, take, with_aus
from aucli.datasets.synthfaces import read_synthfaces
from aucli.datasets.table import find_table, part_of_table, read_table
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS

_LOG = logging.getLogger(__name__)

DATASETS = ("bp4d", "disfa", "hybrid", "me-lists", "synthfaces", "table")


def open_dataset(
    dataset: str,
    root: Path,
    part: Part,
    *,
    fold: int | None = None,
    au_set: str | None = None,
    hold_out: bool = False,
) -> LabelledFaces:
    """The faces of one part of a dataset, in a fixed order; no picture is opened.

    dataset: one of `DATASETS`, in any case of letters. root: its folder, a folder made by `aucli prepare`,
        or for `table` also the file itself.
    part: protocols without a validation part have `val` all the same: the last sixth of the people that the
        fold trains on, see `protocols.held_out`.
    fold: 1, 2 or 3 for datasets that are split into folds, None for the others.
    au_set: AUs to give labels for, in its order (see `AU_SETS`); what the dataset does not code is
        missing. By default the dataset's own.
    hold_out: leave the people of `val` out of `train`, where the protocol itself would train on them. Needed
        for whatever is fitted or chosen on `val` afterwards.

    Raises:
        InputNotFoundError: the folder, or something that belongs in it, is not there.
        UsageError: an unknown name, a fold that does not exist, labels that are malformed or do not fit the
            pictures.
    """
    name = dataset.lower()
    if name not in DATASETS:
        raise UsageError(f"--dataset {dataset!r}: choose one of {', '.join(DATASETS)}")
    if part not in get_args(Part):
        raise UsageError(f"part {part!r}: choose one of {', '.join(get_args(Part))}")
    if au_set is not None and au_set not in AU_SETS:
        raise UsageError(f"--au-set {au_set!r}: choose one of {', '.join(AU_SETS)}")
    if not root.exists():
        raise InputNotFoundError(f"{root} does not exist: give the folder of {dataset} as --root")
    faces = _open(name, root, part, fold, hold_out)
    if au_set is not None:
        return with_aus(faces, AU_SETS[au_set])
    own = {"bp4d": "bp4d", "disfa": "disfa", "synthfaces": "synth"}.get(name)
    return faces if own is None else with_aus(faces, AU_SETS[own])


def subjects_of_part(
    dataset: str, part: Part, fold: int | None, *, hold_out: bool = False
) -> frozenset[str] | None:
    """The people of a part as the protocol names them; None where only the dataset's own files know.

    Raises:
        UsageError: an unknown name, or a fold that does not exist.
    """
    name = dataset.lower()
    if name not in DATASETS:
        raise UsageError(f"--dataset {dataset!r}: choose one of {', '.join(DATASETS)}")
    if name in ("bp4d", "disfa"):
        return frozenset(fold_subjects(name, part, fold, hold_out=hold_out))
    return None


def _open(name: str, root: Path, part: Part, fold: int | None, hold_out: bool) -> LabelledFaces:
    if name == "bp4d":
        return _in_folds(name, root, part, fold, hold_out=hold_out, read=read_bp4d, suffix="jpg")
    if name == "disfa":
        return _in_folds(name, root, part, fold, hold_out=hold_out, read=read_disfa, suffix="png")
    if name == "me-lists":
        return read_me_lists(root, part, fold, hold_out=hold_out)
    if name == "table":
        return _table(root, part, fold, hold_out)
    if fold is not None:
        raise UsageError(f"--fold {fold}: {name} has no folds; leave --fold out")
    return read_hybrid(root, part) if name == "hybrid" else _synthfaces(root, part, hold_out)


def _in_folds(
    name: str,
    root: Path,
    part: Part,
    fold: int | None,
    *,
    hold_out: bool,
    read: Callable[[Path, Sequence[str]], list[Recording]],
    suffix: str,
) -> LabelledFaces:
    """BP4D or DISFA: a folder that was prepared, or the owners' labels with crops in `img/`."""
    subjects = fold_subjects(name, part, fold, hold_out=hold_out)
    assert fold is not None  # or it would have been refused
    metadata = prepared_metadata(root)
    if metadata is not None:
        made_from = metadata["prepared"]["dataset"]
        if made_from != name:
            raise UsageError(f"{root}: was prepared from {made_from}, not from {name}")
        faces = read_table(root / TABLE).faces
        missing = [subject for subject in subjects if subject not in set(faces.subjects)]
        if missing:
            raise UsageError(
                f"{root}: no crop of {', '.join(missing)}, of the {len(all_subjects(name))} people of "
                f"{title(name)}'s protocol; --dataset table takes who is there"
            )
        faces = of_subjects(faces, subjects)
    elif (root / "img").is_dir():
        recordings = read(root, subjects)
        faces = faces_of(
            name, root, recordings, lambda one, row: f"img/{one.name}/{one.frames[row]}.{suffix}"
        )
    else:
        raise InputNotFoundError(
            f"{root}: neither crops made by aucli prepare nor a folder img of crops; make them: "
            f"aucli prepare --dataset {name} {root} OUT, and give OUT"
        )
    published = published_frames(name, part, fold)
    if published is not None and len(faces) != published and not (part == "train" and hold_out):
        _LOG.warning(
            "%s, fold %d, %s: %d faces here, %d in the published lists",
            title(name),
            fold,
            part,
            len(faces),
            published,
        )
    return faces


def _table(root: Path, part: Part, fold: int | None, hold_out: bool) -> LabelledFaces:
    path = find_table(root)
    faces = part_of_table(read_table(path), part, fold, hold_out=hold_out)
    if not any(faces.paths):
        raise UsageError(
            f"{path}: names frames of videos; cut the faces out first: "
            f"aucli prepare --dataset table {path} OUT, and give OUT"
        )
    return faces


def _synthfaces(root: Path, part: Part, hold_out: bool) -> LabelledFaces:
    """The folder's own parts; without people of `val` in it, some are kept back as elsewhere."""
    faces, splits = read_synthfaces(root)
    people = {
        name: tuple(
            dict.fromkeys(s for s, split in zip(faces.subjects, splits, strict=True) if split == name)
        )
        for name in get_args(Part)
    }
    if not people["val"] and people["train"] and part != "test" and (hold_out or part == "val"):
        people["val"] = held_out(people["train"])
        people["train"] = people["train"][: -len(people["val"])]
    rows = np.flatnonzero(np.isin(faces.subjects, people[part]))
    if not len(rows):
        there = ", ".join(f"{name} ({len(some)} people)" for name, some in people.items() if some)
        raise UsageError(f"{root}: no picture of part {part}; there is {there}")
    return take(faces, rows)
