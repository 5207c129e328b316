"""Labels of frames of videos, as a coder's table or taken from a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING, LabelledFaces
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import facs_order, parse

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """One row per labelled frame. The time of a row is either a frame number or seconds.

    frames: int64 (rows,), or None. seconds: float64 (rows,), or None. labels: int8 (rows, AUs), 1, 0 or
    `MISSING`. subjects: None where the table does not name them. intensity: float32 (rows, AUs), 0 to 5, NaN
    where not coded; None where there are none.
    """

    au_names: tuple[str, ...]
    videos: tuple[str, ...]
    frames: NDArray[np.int64] | None
    seconds: NDArray[np.float64] | None
    subjects: tuple[str, ...] | None
    labels: NDArray[np.int8]
    intensity: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.videos)


def labels_of_dataset(faces: LabelledFaces, frame_offset: int = 0) -> FrameLabels:
    """The labels of a dataset whose pictures are frames of videos.

    frame_offset: added to the dataset's frame numbers; -1 where they count from 1, for aucli counts from 0.

    Raises:
        UsageError: its pictures have no frame numbers.
    """
    if (faces.frames < 0).any():
        raise UsageError(
            f"{faces.dataset}: its pictures are not numbered frames of videos: no extraction fits them"
        )
    frames = faces.frames.astype(np.int64) + frame_offset
    return FrameLabels(
        faces.au_names, faces.videos, frames, None, faces.subjects, faces.labels, faces.intensity
    )


def read_labels(path: Path, frame_offset: int = 0) -> FrameLabels:
    """A table (.csv, .parquet) with the columns `video`, `frame` or `time_s`, and one per AU (`AU12`).

    An AU's value is 1, 0, or empty where it was not coded. Where there is a column `AU12_occ`, it is taken,
    and `AU12` for an intensity. So is `AU12_int`. A column `subject` is used if there.
    frame_offset: see `labels_of_dataset`.

    Raises:
        InputNotFoundError: no such file. UsageError: not such a table; the column or value is named.
    """
    import pandas as pd

    if not path.is_file():
        raise InputNotFoundError(f"{path}: there is no such table; give a .csv or .parquet file of labels")
    try:
        table = (
            pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"video": str})
        )
    except (ValueError, OSError) as error:  # pyarrow's and pandas' parsing errors are ValueErrors
        raise UsageError(f"{path}: cannot be read as a table ({error})") from error
    if table.columns.duplicated().any():
        raise UsageError(f"{path}: a column stands twice")
    columns = _au_columns(map(str, table.columns))
    times = [name for name in ("frame", "time_s") if name in table]
    if "video" not in table or len(times) != 1 or not columns:
        raise UsageError(
            f"{path}: needs the columns video, one of frame and time_s, and one per AU (AU12); "
            f"it has {', '.join(map(str, table.columns))}"
        )
    for name in ("video", *times):
        if table[name].isna().any():
            row = int(np.flatnonzero(table[name].isna())[0])
            raise UsageError(f"{path}: the column {name} is empty in row {row + 1}")
    intensity = _intensities(table, columns, path)
    labels = np.stack([_labels(table[name], f"{path}: column {name}") for name in columns.values()], axis=1)
    time = _numbers(table[times[0]], f"{path}: column {times[0]}")
    if times == ["frame"] and (time != np.floor(time)).any():
        raise UsageError(f"{path}: the column frame holds fractions; times in seconds go into time_s")
    return FrameLabels(
        tuple(columns),
        tuple(map(str, table["video"])),
        time.astype(np.int64) + frame_offset if times == ["frame"] else None,
        time if times == ["time_s"] else None,
        tuple(map(str, table["subject"])) if "subject" in table else None,
        labels,
        intensity,
    )


def _au_columns(names: Iterable[str]) -> dict[str, str]:
    """AU, in FACS order, -> the column of its labels; `AU01` is AU1."""
    found: dict[str, str] = {}
    for name in sorted(names, key=lambda name: name.endswith("_occ")):  # these last, to take the place
        try:
            number, side = parse(name.removesuffix("_occ"))
        except ValueError:
            continue
        found[f"AU{number}{side}"] = name
    return dict(sorted(found.items(), key=lambda item: facs_order(item[0])))


def _intensities(table: pd.DataFrame, columns: Mapping[str, str], path: Path) -> NDArray[np.float32] | None:
    """Of the AUs with the columns of labels `columns`; None where the table has none."""
    found = np.full((len(table), len(columns)), np.nan, np.float32)
    some = False
    for place, name in enumerate(columns.values()):
        stem = name.removesuffix("_occ")
        of_au = [other for other in (f"{stem}_int", stem) if other in table and other != name]
        if not of_au:
            continue
        values = _numbers(table[of_au[0]], f"{path}: column {of_au[0]}")
        wrong = (values > 5) | ((values < 0) & (values != MISSING))
        if wrong.any():
            raise UsageError(
                f"{path}: column {of_au[0]} holds {values[wrong][0]:g}: an intensity is 0 to 5, or empty"
            )
        found[:, place], some = np.where(values == MISSING, np.nan, values), True
    return found if some else None


def _labels(column: pd.Series, shown: str) -> NDArray[np.int8]:
    values = _numbers(column, shown)
    wrong = np.isfinite(values) & (values != 0) & (values != 1)
    if wrong.any():
        value = values[np.flatnonzero(wrong)[0]]
        raise UsageError(
            f"{shown} holds {value:g}: a label is 1, 0 or empty; make intensities to labels first"
        )
    return np.where(np.isfinite(values), values, MISSING).astype(np.int8)


def _numbers(column: pd.Series, shown: str) -> NDArray[np.float64]:
    import pandas as pd

    try:
        return pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{shown} holds what is no number ({error})") from error
