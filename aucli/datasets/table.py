"""Any table of coded pictures or video frames, CSV or Parquet: how a lab trains on its own coding.

Columns, in any order; others are left alone:

path            a picture, relative to the table's folder
video, frame    instead of `path`: a frame of a video, counted from 0; needs `aucli prepare`. Beside `path`
                they say which recording the picture is from
subject         who it is; needed, because parts never share a person
AU12            1, 0, or empty where it is not coded (-1 and null are the same); AU12L and AU12R are the
                person's own left and right. `AU12_occ` is the same; a column `AU12` beside it is the
                intensity
AU12_int        intensity, 0 to 5
fold            the fold in which the person is tested, counted from 1
split           train, val or test
p0x ... p4y     five landmarks in pixels, the picture's left eye first: the picture is aligned when it is read

Without landmarks the pictures are taken for crops that are ready; `aucli prepare --dataset table` makes crops
of other pictures. Without `fold` and `split`, people get one of three folds by the SHA-256 of their name: in
that order, by turns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING, LabelledFaces
from aucli.datasets.prepared import TABLE, prepared_crop, prepared_metadata
from aucli.datasets.protocols import PARTS, Part, held_out
from aucli.datasets.recordings import Recording
from aucli.datasets.selection import take
from aucli.datasets.texts import read_csv_rows
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import facs_order, parse

if TYPE_CHECKING:
    import pandas as pd

MADE_FOLDS = 3
_AU_COLUMN = re.compile(r"(AU\d+[LR]?)(_occ|_int)?")
_POINTS = [f"p{point}{axis}" for point in range(5) for axis in "xy"]


@dataclass(frozen=True, eq=False)
class CodedTable:
    """A whole table, and which part each row belongs to.

    faces: rows whose picture is named. A path that is empty stands for a frame of `faces.videos`.
    folds: int64 (rows,), from 1, or None. splits: train, val or test, or None.
    """

    faces: LabelledFaces
    folds: NDArray[np.int64] | None
    splits: tuple[str, ...] | None


def find_table(root: Path) -> Path:
    """The table itself, or the one in a folder.

    Raises:
        InputNotFoundError: there is none.
    """
    if root.is_dir():
        for name in (TABLE, "labels.csv"):
            if (root / name).is_file():
                return root / name
        raise InputNotFoundError(f"{root}: no {TABLE} or labels.csv here; give the table's file as --root")
    if not root.is_file():
        raise InputNotFoundError(f"{root} does not exist: give a CSV or Parquet file with labels as --root")
    return root


def read_table(path: Path) -> CodedTable:
    """All rows of a CSV or Parquet file (by its suffix); of a folder that was prepared, those with a crop.

    Raises:
        UsageError: it cannot be read, a column is missing or has other values than it may, or a person
            is in two folds or splits.
    """
    frame = _load(path)
    made = prepared_metadata(path.parent) if path.name == TABLE else None
    if made is not None:
        frame = frame[frame["status"] == "ok"].reset_index(drop=True)
    where = _Where(path)
    has_path, has_video = "path" in frame, {"video", "frame"} <= set(frame.columns)
    if not has_path and not has_video:
        raise UsageError(
            f"{path}: no column `path`, and not both of `video` and `frame`: say which pictures it means"
        )
    if "subject" not in frame:
        raise UsageError(
            f"{path}: no column `subject`; parts are divided by person, so say who each row shows"
        )
    subjects = _texts(frame, "subject", where)
    frames = np.full(len(frame), -1, np.int32)
    if "frame" in frame:
        numbers = _numbers(frame["frame"], where, empty_is=-1)
        where.refuse(
            (numbers != np.round(numbers)) | (numbers < -1), frame["frame"], "a frame's number, from 0"
        )
        frames = numbers.astype(np.int32)
    au_names, labels, intensity = _labels(frame, where)
    points: NDArray[np.float32] | None = None
    if set(_POINTS) <= set(frame.columns):
        columns = [_numbers(frame[name], where) for name in _POINTS]
        points = np.stack(columns, axis=1).reshape(-1, 5, 2).astype(np.float32)
    faces = LabelledFaces(
        dataset="table",
        root=path.parent,
        au_names=au_names,
        paths=_texts(frame, "path", where) if has_path else ("",) * len(frame),
        subjects=subjects,
        videos=_texts(frame, "video", where) if "video" in frame else ("",) * len(frame),
        frames=frames,
        labels=labels,
        points=points,
        intensity=intensity,
        crop=None if made is None else prepared_crop(made),
    )
    folds = splits = None
    if "fold" in frame and not _is_empty(frame["fold"]):
        numbers = _numbers(frame["fold"], where)
        where.refuse((numbers != np.round(numbers)) | (numbers < 1), frame["fold"], "a fold, from 1")
        folds = numbers.astype(np.int64)
        _check_disjoint(path, subjects, [f"fold {number}" for number in folds])
    if "split" in frame and not _is_empty(frame["split"]):
        splits = _texts(frame, "split", where)
        where.refuse(~np.isin(splits, PARTS), frame["split"], "one of train, val, test")
        _check_disjoint(path, subjects, splits)
    return CodedTable(faces, folds, splits)


def part_of_table(
    table: CodedTable, part: Part, fold: int | None, *, hold_out: bool = False
) -> LabelledFaces:
    """The rows of a part, in the table's order; see the module for how parts come about.

    Raises:
        UsageError: no fold where one is needed, one that does not exist, or a part without a row.
    """
    faces = table.faces
    if fold is not None or table.splits is None:
        chosen = _people_of_fold(table, part, fold, hold_out=hold_out)
    else:
        by_split = {
            name: {s for s, split in zip(faces.subjects, table.splits, strict=True) if split == name}
            for name in PARTS
        }
        if not by_split["val"] and part != "test" and (hold_out or part == "val"):
            kept_back = set(held_out(_shuffled(by_split["train"])))
            by_split["train"], by_split["val"] = by_split["train"] - kept_back, kept_back
        chosen = by_split[part]
    rows = np.flatnonzero(np.isin(faces.subjects, sorted(chosen)))
    if not len(rows):
        raise UsageError(f"{faces.root}: the table has no row for part {part}")
    return take(faces, rows)


def _people_of_fold(table: CodedTable, part: Part, fold: int | None, *, hold_out: bool) -> set[str]:
    subjects = table.faces.subjects
    people = _shuffled(set(subjects))
    if table.folds is not None:
        fold_of = dict(zip(subjects, table.folds.tolist(), strict=True))
    elif len(people) < MADE_FOLDS:
        raise UsageError(
            f"{len(people)} people are too few for {MADE_FOLDS} folds; "
            "give the table a column `split` or `fold`"
        )
    else:
        fold_of = {person: place % MADE_FOLDS + 1 for place, person in enumerate(people)}
    known = sorted(set(fold_of.values()))
    if fold not in known:
        given = "no --fold given" if fold is None else f"--fold {fold}"
        raise UsageError(f"{given}: this table has folds {', '.join(map(str, known))}")
    if part == "test":
        return {person for person in people if fold_of[person] == fold}
    trained = [person for person in people if fold_of[person] != fold]
    kept_back = set(held_out(trained)) if hold_out or part == "val" else set()
    return kept_back if part == "val" else set(trained) - kept_back


def _shuffled(people: set[str]) -> list[str]:
    """Everybody in an order that has nothing to do with their names and is the same everywhere."""
    return sorted(people, key=lambda person: hashlib.sha256(person.encode()).hexdigest())


def read_table_recordings(path: Path) -> list[Recording]:
    """A table of uncropped pictures or video frames as recordings: a video each, or the pictures of a person.

    Raises:
        UsageError: see `read_table`; or a video has two people, or a frame two rows.
    """
    table = read_table(path)
    faces = table.faces
    if faces.crop is not None:
        raise UsageError(f"{path}: lists crops that aucli prepare made; give the original table")
    pictures = any(faces.paths)
    keys = [(faces.subjects[row], "" if pictures else faces.videos[row]) for row in range(len(faces))]
    rows_of: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    people_of: dict[str, str] = {}
    recordings = []
    for (subject, video), listed in rows_of.items():
        rows = np.array(listed)
        if not pictures:
            if people_of.setdefault(video, subject) != subject:
                raise UsageError(
                    f"{path}: {video} has two subjects, {people_of[video]} and {subject}; "
                    "a video is labelled for its main person only"
                )
            rows = rows[np.argsort(faces.frames[rows], kind="stable")]
            twice = np.flatnonzero(np.diff(faces.frames[rows]) == 0)
            if len(twice) or faces.frames[rows[0]] < 0:
                what = "has no number" if faces.frames[rows[0]] < 0 else "stands there twice"
                number = faces.frames[rows[0] if faces.frames[rows[0]] < 0 else rows[twice[0]]]
                raise UsageError(f"{path}: frame {number} of {video} {what}")
        first = int(rows[0])
        recordings.append(
            Recording(
                name=f"pictures of {subject}" if pictures else video,
                subject=subject,
                source=faces.root if pictures else faces.root / video,
                au_names=faces.au_names,
                frames=np.arange(len(rows), dtype=np.int32) if pictures else faces.frames[rows],
                labels=faces.labels[rows],
                intensity=None if faces.intensity is None else faces.intensity[rows],
                pictures=tuple(faces.paths[row] for row in rows) if pictures else None,
                fold=None if table.folds is None else int(table.folds[first]),
                split=None if table.splits is None else table.splits[first],
            )
        )
    return recordings


@dataclass(frozen=True)
class _Where:
    """Says where in the file a wrong value stands."""

    path: Path

    def refuse(self, wrong: NDArray[np.bool_], column: pd.Series, must_be: str) -> None:
        """Raise for the first wrong row, if there is one."""
        rows = np.flatnonzero(wrong)
        if len(rows):
            # Line 1 of a CSV file is its header.
            place = f"line {rows[0] + 2}" if self.path.suffix.lower() == ".csv" else f"row {rows[0]}"
            raise UsageError(
                f"{self.path}, {place}: {column.name} is {column.iloc[rows[0]]!r} and must be {must_be}"
            )


def _load(path: Path) -> pd.DataFrame:
    import pandas as pd

    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise UsageError(f"{path}: must be a .csv or .parquet file")
    if suffix == ".csv":
        # Not pandas' own reader: it takes cells too many for an index, and renames columns of one name.
        header, rows = read_csv_rows(path, expected="a table with a row for each picture")
        frame = pd.DataFrame(rows, columns=header, dtype=str)
    else:
        try:
            frame = pd.read_parquet(path)
        except (ValueError, OSError) as error:  # pyarrow's own errors are ValueErrors
            raise UsageError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from error
    if frame.columns.duplicated().any():
        raise UsageError(f"{path}: the column {frame.columns[frame.columns.duplicated()][0]} is there twice")
    if not len(frame):
        raise UsageError(f"{path}: has no row")
    return frame


def _texts(frame: pd.DataFrame, name: str, where: _Where) -> tuple[str, ...]:
    column = frame[name]
    where.refuse(np.asarray(column.isna() | (column.astype(str).str.strip() == ""), bool), column, "given")
    return tuple(column.astype(str).str.strip())


def _is_empty(column: pd.Series) -> bool:
    return bool((column.isna() | (column.astype(str).str.strip() == "")).all())


def _numbers(column: pd.Series, where: _Where, *, empty_is: float | None = None) -> NDArray[np.float64]:
    """float64 (rows,); an empty cell is `empty_is`, or refused."""
    import pandas as pd

    texts = column.astype("object").where(column.notna(), "")
    texts = texts.map(lambda cell: {"true": 1, "false": 0}.get(str(cell).strip().lower(), cell))
    empty = np.asarray(texts.astype(str).str.strip() == "", bool)
    values = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64, na_value=np.nan, copy=True)
    where.refuse(~np.isfinite(values) & (~empty if empty_is is not None else True), column, "a number")
    if empty_is is not None:
        values[empty] = empty_is
    return values


def _labels(
    frame: pd.DataFrame, where: _Where
) -> tuple[tuple[str, ...], NDArray[np.int8], NDArray[np.float32] | None]:
    """AUs in FACS order, their labels, their intensities if there are any."""
    occurrence: dict[str, str] = {}
    intensity: dict[str, str] = {}
    columns: dict[tuple[str, str], str] = {}
    for name in map(str, frame.columns):
        match = _AU_COLUMN.fullmatch(name)
        if match is None:
            continue
        try:
            number, side = parse(match[1])
        except ValueError as error:
            raise UsageError(f"{where.path}: column {name}: {error}") from None
        key = (f"AU{number}{side}", match[2] or "")
        if key in columns:
            raise UsageError(f"{where.path}: {columns[key]} and {name} are the same column; keep one of them")
        columns[key] = name
    for (au, kind), name in columns.items():
        if kind == "_int" or (kind == "" and (au, "_occ") in columns):
            if au in intensity:
                raise UsageError(
                    f"{where.path}: {intensity[au]} and {name} both are intensities of {au}; keep one"
                )
            intensity[au] = name
        else:
            occurrence[au] = name
    if not occurrence:
        raise UsageError(f"{where.path}: no column of labels, such as AU12, AU12_occ or AU01")
    au_names = tuple(sorted(occurrence, key=facs_order))
    labels = np.full((len(frame), len(au_names)), MISSING, np.int8)
    intensities = np.full(labels.shape, np.nan, np.float32)
    for place, au in enumerate(au_names):
        column = frame[occurrence[au]]
        values = _numbers(column, where, empty_is=MISSING)
        where.refuse(~np.isin(values, (0, 1, MISSING)), column, "1, 0, or empty where it is not coded")
        labels[:, place] = values
        if au in intensity:
            column = frame[intensity[au]]
            values = _numbers(column, where, empty_is=-1)
            where.refuse(
                (values > 5) | ((values < 0) & (values != -1)), column, "an intensity from 0 to 5, or empty"
            )
            intensities[:, place] = np.where(values == -1, np.nan, values)
    return au_names, labels, intensities if intensity else None


def _check_disjoint(path: Path, subjects: Sequence[str], parts: Sequence[str]) -> None:
    part_of: dict[str, str] = {}
    for subject, part in zip(subjects, parts, strict=True):
        if part_of.setdefault(subject, part) != part:
            raise UsageError(
                f"{path}: {subject} is in {part_of[subject]} and in {part}; "
                "each person belongs to one part only"
            )
