"""The annotation files of SCC's authors: JSON, read and written.

A list of `{"imgpath": "M017/T8/336.jpg", "AUs": [x, y, intensity, x, y, intensity, ...]}`: for each point, in
the order of `au_points.point_names`, its place in pixels of the 256-pixel picture and the intensity, 0 to 5,
of its AU. Source: github.com/EvelynFan/FAU.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS
from aucli_models.au_points import au_of_point, point_names

SIZE = 256  # pixels, side of the pictures
_MOST = 5.0  # FACS E


@dataclass(frozen=True, eq=False)
class Annotations:
    """Annotated pictures.

    paths: as in the file. points: float32 (pictures, points, 2), x, y in pixels. intensities: float32
    (pictures, AUs), 0 to 5, in the order of the AU set.
    """

    au_set: str
    paths: tuple[str, ...]
    points: NDArray[np.float32]
    intensities: NDArray[np.float32]


def read_annotations(path: Path, au_set: str) -> Annotations:
    """The file's annotations for the AUs of a set (`bp4d_intensity`, `disfa_intensity`).

    Raises:
        InputNotFoundError: no such file.
        UsageError: not in this form: the entry, and what is wrong with it, is named.
    """
    if not path.is_file():
        raise InputNotFoundError(f"{path}: there is no such file")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"{path}: is no JSON ({error})") from error
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{path}: holds no list of annotations, each with imgpath and AUs")
    count = len(point_names(au_set))
    values = np.stack([_values(path, number, entry, count) for number, entry in enumerate(entries)])
    values = values.reshape(len(entries), count, 3)
    return Annotations(
        au_set,
        tuple(str(PurePosixPath(entry["imgpath"])) for entry in entries),
        values[:, :, :2].copy(),
        _of_aus(path, values[:, :, 2], au_set),
    )


def write_annotations(path: Path, annotations: Annotations) -> None:
    """Write the file in the authors' form.

    Raises:
        OSError: it cannot be written.
    """
    owner = list(au_of_point(annotations.au_set))
    triples = np.concatenate([annotations.points, annotations.intensities[:, owner, None]], axis=2)
    entries = [
        {"imgpath": name, "AUs": [round(float(value), 3) for value in row.ravel()]}
        for name, row in zip(annotations.paths, triples, strict=True)
    ]
    path.write_text(json.dumps(entries) + "\n", encoding="utf-8")


def _values(path: Path, number: int, entry: Any, points: int) -> NDArray[np.float32]:
    where = f"{path}, entry {number + 1}"
    if not isinstance(entry, dict) or not isinstance(entry.get("imgpath"), str) or "AUs" not in entry:
        raise UsageError(f"{where}: must have imgpath and AUs")
    name = PurePosixPath(entry["imgpath"])
    if name.is_absolute() or ".." in name.parts:
        raise UsageError(f"{where}: {entry['imgpath']!r} is not the path of a picture below the root")
    given = entry["AUs"]
    if not isinstance(given, list) or len(given) != 3 * points:
        found = len(given) if isinstance(given, list) else 0
        raise UsageError(f"{where}: {found} numbers in AUs where {points} points have {3 * points}")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        raise UsageError(f"{where}: AUs must hold numbers only")
    values = np.array(given, np.float32)
    if not np.isfinite(values).all():
        raise UsageError(f"{where}: a number in AUs is not finite")
    if not ((values[2::3] >= 0) & (values[2::3] <= _MOST)).all():
        raise UsageError(f"{where}: an intensity, every third number, must be 0 to {_MOST:g}")
    return values


def _of_aus(path: Path, of_points: NDArray[np.float32], au_set: str) -> NDArray[np.float32]:
    owner = np.array(au_of_point(au_set))
    found = np.empty((len(of_points), len(AU_SETS[au_set])), np.float32)
    for place, au in enumerate(AU_SETS[au_set]):
        mine = of_points[:, owner == place]
        uneven = np.flatnonzero((mine != mine[:, :1]).any(axis=1))
        if len(uneven):
            raise UsageError(
                f"{path}, entry {int(uneven[0]) + 1}: the points of {au} must have one intensity; is it a "
                f"file of other AUs than {au_set}?"
            )
        found[:, place] = mine[:, 0]
    return found
