"""CK+: AUs of the peak frame of 593 posed sequences.

Layout: `FACS/S005/001/S005_001_00000011_facs.txt`, a line `AU intensity` for each AU that is shown, both
written as `9.0000000e+00`; intensity 0 means that none was given. The peak is the picture of the same name,
`cohn-kanade-images/S005/001/S005_001_00000011.png`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aucli.datasets.recordings import Recording
from aucli.datasets.texts import read_lines
from aucli.errors import InputNotFoundError, UsageError

AUS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 38, 39)
AU_NAMES = tuple(f"AU{number}" for number in AUS)
OCCURS_ABOVE = 1
"""Intensity above which OpenGraphAU counts an AU as present; also 0, "not given", counts as absent there."""
PICTURE_FOLDER = "cohn-kanade-images"


def read_ckplus(root: Path, *, pictures: Path | None = None) -> list[Recording]:
    """The peak pictures of each person, everybody in the order of their names.

    As in OpenGraphAU: AUs that are not listed are absent, and a picture is left out when it is not there or
    none of `AUS` is listed.

    pictures: where they are, if not in `cohn-kanade-images`.

    Raises:
        InputNotFoundError: no label folder, or no picture of all that are labelled.
        UsageError: a label file that is malformed.
    """
    folder = root / "FACS"
    if not folder.is_dir():
        raise InputNotFoundError(
            f"{folder} does not exist: "
            "give the folder of CK+ that holds FACS/S005/001/S005_001_00000011_facs.txt"
        )
    pictures = pictures or root / PICTURE_FOLDER
    found: dict[str, list[tuple[str, list[int]]]] = {}
    for path in sorted(folder.glob("S*/*/*_facs.txt")):
        labels = _read(path)
        subject, sequence = path.parts[-3:-1]
        name = f"{subject}/{sequence}/{path.name.removesuffix('_facs.txt')}.png"
        if labels is not None and (pictures / name).is_file():
            found.setdefault(subject, []).append((name, labels))
    if not found:
        raise InputNotFoundError(f"{pictures}: none of the pictures that {folder} labels is here")
    return [
        Recording(
            name=subject,
            subject=subject,
            source=pictures,
            au_names=AU_NAMES,
            frames=np.arange(len(listed), dtype=np.int32),
            labels=np.array([labels for _, labels in listed], np.int8),
            pictures=tuple(name for name, _ in listed),
        )
        for subject, listed in found.items()
    ]


def _read(path: Path) -> list[int] | None:
    """1 or 0 for each of `AUS`; None where none of them is listed."""
    listed: dict[int, int] = {}
    for number, line in enumerate(read_lines(path, expected="the AUs of a peak frame"), start=1):
        try:
            au, intensity = (int(float(cell)) for cell in line.split())
        except ValueError:
            raise UsageError(
                f"{path}, line {number}: {line.strip()!r} is not an AU and its intensity"
            ) from None
        if not 0 <= intensity <= 5:
            raise UsageError(f"{path}, line {number}: intensity {intensity} is not from 0 to 5")
        listed[au] = intensity
    if not listed.keys() & set(AUS):
        return None
    return [int(listed.get(au, 0) > OCCURS_ABOVE) for au in AUS]
