"""DISFA: intensity of 12 AUs in each frame of 27 videos, one for each person.

Layout: `ActionUnit_Labels/SN001/SN001_au1.txt`, a line `frame,intensity` for each frame, frames counted from
1, intensity 0 to 5; videos of the left camera in `Videos_LeftCamera/LeftVideoSN001_comp.avi`, or their frames
as numbered pictures in a folder `LeftVideoSN001_comp`. Here frames are counted from 0, as in ME-GraphAU's
lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.recordings import Recording
from aucli.datasets.texts import check_values, read_lines, whole_numbers
from aucli.errors import InputNotFoundError, UsageError
from aucli.media.kinds import is_video_name

LABEL_FOLDER = "ActionUnit_Labels"
VIDEO_FOLDER = "Videos_LeftCamera"
AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
AU_NAMES = tuple(f"AU{number}" for number in AUS)
OCCURS_FROM = 2
"""Intensity from which an AU counts as present in ME-GraphAU's protocol."""
_EXPECTED = "the coding of an AU (a line frame,intensity for each frame)"


def read_disfa(root: Path, subjects: Sequence[str] | None = None) -> list[Recording]:
    """The recordings of these people in this order; of everybody whose labels are there by default.

    Raises:
        InputNotFoundError: no label folder, or a person's or an AU's file is missing.
        UsageError: a file that is malformed, has other values, or not as many lines as that of AU1.
    """
    folder = root / LABEL_FOLDER
    if not folder.is_dir():
        raise InputNotFoundError(
            f"{folder} does not exist: give the folder of DISFA that holds {LABEL_FOLDER}/SN001/SN001_au1.txt"
        )
    names = (
        list(subjects) if subjects is not None else sorted(p.name for p in folder.glob("SN*") if p.is_dir())
    )
    if not names:
        raise InputNotFoundError(f"{folder}: no person's folder here, such as SN001")
    recordings = []
    for name in names:
        columns: list[NDArray[np.int64]] = []
        for au in AUS:
            path = folder / name / f"{name}_au{au}.txt"
            columns.append(_read(path))
            if len(columns[-1]) != len(columns[0]):
                raise UsageError(
                    f"{path}: {len(columns[-1])} lines where {name}_au{AUS[0]}.txt has {len(columns[0])}"
                )
        intensity = np.stack(columns, axis=1)
        recordings.append(
            Recording(
                name,
                name,
                _source(root, name),
                AU_NAMES,
                np.arange(len(intensity), dtype=np.int32),
                (intensity >= OCCURS_FROM).astype(np.int8),
                intensity.astype(np.float32),
            )
        )
    return recordings


def _read(path: Path) -> NDArray[np.int64]:
    """int64 (frames,), 0 to 5."""
    lines = read_lines(path, expected=_EXPECTED)
    if not lines:
        raise UsageError(f"{path}: is empty; {_EXPECTED} is expected there")
    values = whole_numbers(lines, path, columns=2, separator=",")
    start = int(values[0, 0])
    wrong = np.flatnonzero(values[:, 0] != start + np.arange(len(values)))
    if start not in (0, 1) or len(wrong):
        line = int(wrong[0]) if len(wrong) else 0
        raise UsageError(
            f"{path}, line {line + 1}: frame {values[line, 0]}; frames must count up from 1, none left out"
        )
    check_values(values[:, 1:], tuple(range(6)), path, first_line=1, columns=("the intensity",))
    intensity: NDArray[np.int64] = values[:, 1]
    return intensity


def _source(root: Path, name: str) -> Path:
    """The video, or the folder of its frames; the name of the video as shipped where there is neither."""
    stem = f"LeftVideo{name}_comp"
    folder = root / VIDEO_FOLDER
    found = sorted(path for path in folder.glob(f"{stem}*") if path.name == stem or is_video_name(path.name))
    return next((path for path in found if path.is_file() or path.is_dir()), folder / f"{stem}.avi")
