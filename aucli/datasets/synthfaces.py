"""The synthfaces folder: rendered faces with exact AU labels, five points and disjoint subjects.

Layout: `labels.parquet` with one row per picture, pictures of 160 x 160 pixels below the same folder, and
`landmarks68.npz`, which may be missing, with the 68 points of each row.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aucli.datasets.labelled import LabelledFaces
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS


def read_synthfaces(root: Path) -> tuple[LabelledFaces, tuple[str, ...]]:
    """All faces, and the split that each belongs to; labels are an intensity of at least 2.

    Raises:
        InputNotFoundError: no `labels.parquet` in the folder.
        UsageError: it is not the table of synthfaces, or the landmarks are of other pictures.
    """
    if not (root / "labels.parquet").is_file():
        raise InputNotFoundError(f"{root}: no labels.parquet here; give the folder that holds it and images/")
    au_names = AU_SETS["synth_sided"]
    points = [f"p{point}{axis}" for point in range(5) for axis in "xy"]
    try:
        table = pd.read_parquet(root / "labels.parquet")
        lacking = {"path", "split", "subject", *points, *au_names} - set(table.columns)
        if lacking:
            raise ValueError(f"it has no column {', '.join(sorted(lacking))}")
    except (ValueError, OSError) as error:
        raise UsageError(f"{root / 'labels.parquet'}: is not the table of synthfaces: {error}") from error
    intensity = table[list(au_names)].to_numpy(np.float32)
    faces = LabelledFaces(
        dataset="synthfaces",
        root=root,
        au_names=au_names,
        paths=tuple(table["path"]),
        subjects=tuple(table["subject"].astype(str)),
        videos=("",) * len(table),
        frames=np.full(len(table), -1, np.int32),
        labels=(intensity >= 2).astype(np.int8),
        points=table[points].to_numpy(np.float32).reshape(-1, 5, 2),
        intensity=intensity,
        landmarks=_landmarks(root / "landmarks68.npz", len(table)),
    )
    return faces, tuple(table["split"])


def _landmarks(path: Path, faces: int) -> NDArray[np.float32] | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            stored = arrays["lm64"]
        if stored.shape != (faces, 68, 2):
            raise ValueError(f"its points are {stored.shape}, not ({faces}, 68, 2)")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise UsageError(f"{path}: is not the landmarks of synthfaces: {error}") from error
    landmarks: NDArray[np.float32] = stored.astype(np.float32) / 64
    return landmarks
