"""List files of ME-GraphAU, OpenGraphAU and MDHR, as their authors publish or generate them.

Layout of a folder: lists in `list/` or in the folder itself, crops in `img/` or `img_o/`. For a dataset D and
a fold k there are `D_train_img_path_foldk.txt` (MDHR's DISFA: `D_train_path_foldk.txt`), a relative path on
each line; `D_train_label_foldk.txt`, as many lines of 1, 0 or -1 for each AU; the same for `test`.
OpenGraphAU's `hybrid_train_img_path.txt` has `val` too and no fold. Class weights may lie in
`D_weight_foldk.txt` or `D_train_weight_foldk.txt`, `hybrid_train_weight.txt`: one line, a number for each AU.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING, LabelledFaces
from aucli.datasets.protocols import FOLDS, Part, held_out
from aucli.datasets.rates import class_rates
from aucli.datasets.selection import of_subjects
from aucli.datasets.texts import check_values, read_lines, whole_numbers
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS

_LOG = logging.getLogger(__name__)

_PATHS = "a list of pictures, one path a line"
_LABELS = "the labels of a list of pictures, a line for each of them"
_WEIGHT_DIGITS = 1.5e-6  # the files have 6 decimals


def read_me_lists(root: Path, part: Part, fold: int | None, *, hold_out: bool = False) -> LabelledFaces:
    """One part of one fold, in the order of its files.

    `val` is the hybrid lists' own. For lists in folds it is the last sixth of the people in `train`, in the
    order in which they appear there.

    Raises:
        InputNotFoundError: the lists, or the folder of pictures, are not there.
        UsageError: a fold that does not exist, a number of labels that does not fit, other values.
    """
    folder = next((f for f in (root / "list", root) if any(f.glob("*_path*.txt"))), None)
    if folder is None:
        raise InputNotFoundError(
            f"{root}: no list files here, such as list/BP4D_train_img_path_fold1.txt; "
            "give the folder of a dataset that holds list/ and img/"
        )
    name, ending = _choose(folder, fold)
    listed: Part = "train" if part == "val" and ending else part
    faces = _read(root, folder, name, listed, ending)
    if listed == "train":
        _compare_weights(folder, name, ending, faces)
    if not ending or part == "test" or (part == "train" and not hold_out):
        return faces
    people = tuple(dict.fromkeys(faces.subjects))
    kept_back = held_out(people)
    return of_subjects(faces, kept_back if part == "val" else [one for one in people if one not in kept_back])


def _choose(folder: Path, fold: int | None) -> tuple[str, str]:
    """Name of the dataset and what its files end with: `("BP4D", "_fold1")`, `("hybrid", "")`."""
    found = {
        (match[1], match[2] or "")
        for path in folder.glob("*_path*.txt")
        if (match := re.fullmatch(r"(.+?)_(?:train|val|test)_(?:img_)?path(_fold\d+)?\.txt", path.name))
    }
    names = sorted({name for name, _ in found})
    if len(names) != 1:
        raise UsageError(
            f"{folder}: lists of {', '.join(names) or 'no dataset'}; exactly one dataset's are expected"
        )
    if {ending for _, ending in found} == {""}:
        if fold is not None:
            raise UsageError(f"--fold {fold}: the lists of {names[0]} have no folds; leave --fold out")
        return names[0], ""
    if fold is None:
        raise UsageError(f"the lists of {names[0]} have folds 1 to 3: say which one, for instance --fold 1")
    if fold not in FOLDS:
        raise UsageError(f"--fold {fold}: the lists of {names[0]} have folds 1 to 3")
    return names[0], f"_fold{fold}"


def _read(root: Path, folder: Path, name: str, part: Part, ending: str) -> LabelledFaces:
    path_file = next(
        (
            file
            for word in ("img_path", "path")
            if (file := folder / f"{name}_{part}_{word}{ending}.txt").is_file()
        ),
        folder / f"{name}_{part}_img_path{ending}.txt",
    )
    label_file = folder / f"{name}_{part}_label{ending}.txt"
    lines = read_lines(path_file, expected=_PATHS)
    paths = [_checked_path(line, path_file, number) for number, line in enumerate(lines, start=1)]
    if not paths:
        raise UsageError(f"{path_file}: is empty; {_PATHS} is expected there")
    values = whole_numbers(read_lines(label_file, expected=_LABELS), label_file, columns=None, separator=None)
    if len(values) != len(paths):
        raise UsageError(
            f"{label_file}: {len(values)} lines for the {len(paths)} pictures of {path_file.name}"
        )
    au_names = next((aus for aus in AU_SETS.values() if len(aus) == values.shape[1]), None)
    if au_names is None:
        counts = ", ".join(f"{len(aus)} ({title})" for title, aus in AU_SETS.items())
        raise UsageError(f"{label_file}: {values.shape[1]} labels a line; known are {counts}")
    check_values(values, (1, 0, MISSING), label_file, first_line=1, columns=au_names)
    pictures = next((place for place in ("img", "img_o") if (root / place).is_dir()), None)
    if pictures is None:
        raise InputNotFoundError(
            f"{root}: no folder img (or img_o) here, to which the lists' paths are relative"
        )
    described = [_describe(path) for path in paths]
    return LabelledFaces(
        dataset="me-lists",
        root=root,
        au_names=au_names,
        paths=tuple(f"{pictures}/{path}" for path in paths),
        subjects=tuple(subject for subject, _, _ in described),
        videos=tuple(video for _, video, _ in described),
        frames=np.array([frame for _, _, frame in described], np.int32),
        labels=values.astype(np.int8),
    )


def _checked_path(line: str, file: Path, number: int) -> PurePosixPath:
    path = PurePosixPath(line.strip())
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise UsageError(f"{file}, line {number}: {line!r} is not the path of a picture below img/")
    return path


def _describe(path: PurePosixPath) -> tuple[str, str, int]:
    """Person, recording and frame as the paths tell them.

    `F001/T1/2440.jpg` -> F001, F001/T1, 2440; `SN001/SN001_0.png` -> SN001, SN001, 0. In the hybrid set the
    first folder is the source, and a picture that lies in it directly (RAF-AU) is a person of its own.
    """
    folders = path.parts[:-1]
    digits = re.search(r"(\d+)$", path.stem)
    frame = int(digits[1]) if digits and len(digits[1]) < 10 else -1
    if folders and folders[0] in HYBRID_FOLDERS:
        person = "/".join(folders[:2]) if len(folders) > 1 else f"{folders[0]}/{path.stem}"
        return person, "/".join(folders) if len(folders) > 1 else person, frame
    return (folders[0] if folders else path.stem), "/".join(folders) or path.stem, frame


HYBRID_FOLDERS = ("BP4D", "DISFA", "CK+", "RAF-AU", "CASME2", "AFFW")


def _compare_weights(folder: Path, name: str, ending: str, faces: LabelledFaces) -> None:
    """Log when the class weights beside the lists are not those of the labels."""
    for word in ("weight", "train_weight"):
        file = folder / f"{name}_{word}{ending}.txt"
        if not file.is_file():
            continue
        weights = read_class_weights(file, len(faces.au_names))
        rates = class_rates(faces)
        if np.isnan(rates).any() or not (rates > 0).all():
            return  # an AU without a positive has no finite weight
        derived = (1 / rates) / (1 / rates).sum() * len(rates)
        difference = float(np.abs(weights - derived).max())
        if difference > _WEIGHT_DIGITS:
            _LOG.warning(
                "%s differs by up to %.6f from the weights of the labels beside it", file, difference
            )


def read_class_weights(file: Path, aus: int) -> NDArray[np.float64]:
    """The numbers of a weight file: float64 (aus,).

    Raises:
        UsageError: another number of them, or something else.
    """
    cells = " ".join(read_lines(file, expected="a line of class weights")).split()
    try:
        weights = np.array([float(cell) for cell in cells])
    except ValueError:
        raise UsageError(f"{file}: is not a line of numbers") from None
    if len(weights) != aus or not (weights > 0).all():
        raise UsageError(f"{file}: {len(weights)} numbers where {aus} weights above 0 are expected")
    return weights
