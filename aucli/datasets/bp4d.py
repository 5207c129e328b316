"""BP4D-Spontaneous: occurrence of 27 and more AUs in about 20 seconds of 328 recordings (41 people, 8 tasks).

Layout: `AUCoding/AU_OCC/F001_T1.csv`, one row for each coded frame. Its first row names the columns: the
first is the number of the frame, the others are AUs by their FACS number; 9 means not coded. Pictures lie in
a folder for each recording, `F001/T1`, below one of `PICTURE_FOLDERS`; a picture's name is its frame number,
with or without leading zeros.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aucli.datasets.labelled import MISSING
from aucli.datasets.recordings import Recording
from aucli.datasets.texts import check_values, read_csv_rows
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS, FACS_NAMES

LABEL_FOLDER = Path("AUCoding") / "AU_OCC"
PICTURE_FOLDERS = ("Sequences(2D+3D)", "2D+3D", "Sequences", ".")
TASKS = tuple(f"T{number}" for number in range(1, 9))
NOT_CODED = 9
_EXPECTED = "the coding of a BP4D recording (F001_T1.csv and so on, frame number and AUs)"


def read_bp4d(root: Path, subjects: Sequence[str] | None = None) -> list[Recording]:
    """All recordings of these people in this order; of everybody whose labels are there by default.

    Raises:
        InputNotFoundError: no label folder, or a recording's file is missing.
        UsageError: a file that is malformed or has values other than 0, 1 and 9.
    """
    folder = root / LABEL_FOLDER
    if not folder.is_dir():
        raise InputNotFoundError(
            f"{folder} does not exist: "
            f"give the folder of BP4D that holds {LABEL_FOLDER.as_posix()}/F001_T1.csv"
        )
    if subjects is None:
        names = sorted(
            path.stem for path in folder.iterdir() if re.fullmatch(r"[FM]\d{3}_T[1-8]\.csv", path.name)
        )
        if not names:
            raise InputNotFoundError(f"{folder}: no label file here, such as F001_T1.csv")
    else:
        names = [f"{subject}_{task}" for subject in subjects for task in TASKS]
    recordings = [_read(root, folder / f"{name}.csv", *name.split("_")) for name in names]
    # Files may differ in the AUs that they have beyond the usual: what is not in all is not in the dataset.
    common = [au for au in recordings[0].au_names if all(au in one.au_names for one in recordings)]
    return [_only(one, tuple(common)) for one in recordings]


def _read(root: Path, path: Path, subject: str, task: str) -> Recording:
    header, rows = read_csv_rows(path, expected=_EXPECTED)
    numbers = [int(name) if re.fullmatch(r"\d+", name) else -1 for name in header]
    columns = [place for place, number in enumerate(numbers) if place > 0 and number in FACS_NAMES]
    au_names = tuple(f"AU{numbers[place]}" for place in columns)
    lacking = [au for au in AU_SETS["bp4d"] if au not in au_names]
    if lacking:
        raise UsageError(
            f"{path}, line 1: no column for {', '.join(lacking)}; the columns must be the frame number and "
            "AUs by number (0,1,2,4,...)"
        )
    if len(set(au_names)) < len(au_names):
        raise UsageError(f"{path}, line 1: an AU has two columns")
    if not rows:
        raise UsageError(f"{path}: has no row; {_EXPECTED} is expected there")
    try:
        cells = np.array([[int(row[place]) for place in (0, *columns)] for row in rows], np.int64)
    except ValueError:
        line = next(n for n, row in enumerate(rows, 2) if not all(_is_number(row[p]) for p in (0, *columns)))
        raise UsageError(f"{path}, line {line}: a cell is no whole number") from None
    frames, values = cells[:, 0], cells[:, 1:]
    check_values(values, (0, 1, NOT_CODED), path, first_line=2, columns=au_names)
    falling = np.flatnonzero(np.diff(frames) <= 0)
    if len(falling):
        raise UsageError(f"{path}, line {falling[0] + 3}: the frame number does not rise")
    labels = np.where(values == NOT_CODED, MISSING, values).astype(np.int8)
    name = f"{subject}/{task}"
    return Recording(name, subject, _source(root, name), au_names, frames.astype(np.int32), labels)


def _source(root: Path, name: str) -> Path:
    """The folder of pictures; the first place where it could be if it is nowhere."""
    folders = [root / base / name for base in PICTURE_FOLDERS]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _is_number(cell: str) -> bool:
    try:
        int(cell)
    except ValueError:
        return False
    return True


def _only(recording: Recording, au_names: tuple[str, ...]) -> Recording:
    if recording.au_names == au_names:
        return recording
    columns = [recording.au_names.index(au) for au in au_names]
    return Recording(
        recording.name,
        recording.subject,
        recording.source,
        au_names,
        recording.frames,
        recording.labels[:, columns],
    )
