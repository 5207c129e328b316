"""Parts of a dataset: some of its rows, other columns, several datasets as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING, LabelledFaces
from aucli.errors import UsageError


def take(faces: LabelledFaces, rows: NDArray[np.integer]) -> LabelledFaces:
    """The given rows, in that order."""
    return replace(
        faces,
        paths=tuple(faces.paths[row] for row in rows),
        subjects=tuple(faces.subjects[row] for row in rows),
        videos=tuple(faces.videos[row] for row in rows),
        frames=faces.frames[rows],
        labels=faces.labels[rows],
        points=None if faces.points is None else faces.points[rows],
        intensity=None if faces.intensity is None else faces.intensity[rows],
        landmarks=None if faces.landmarks is None else faces.landmarks[rows],
    )


def of_subjects(faces: LabelledFaces, subjects: Sequence[str]) -> LabelledFaces:
    """The faces of these people, person by person in the order given, each in the order they had."""
    place = {subject: number for number, subject in enumerate(subjects)}
    order = np.array([place.get(subject, -1) for subject in faces.subjects], np.int64)
    rows = np.argsort(order, kind="stable")
    return take(faces, rows[order[rows] >= 0])


def with_aus(faces: LabelledFaces, au_names: tuple[str, ...]) -> LabelledFaces:
    """Labels and intensities of these AUs, in this order; what the dataset does not code is missing.

    Raises:
        UsageError: it codes none of them.
    """
    if au_names == faces.au_names:
        return faces
    column = {name: number for number, name in enumerate(faces.au_names)}
    coded = [name for name in au_names if name in column]
    if not coded:
        raise UsageError(
            f"{faces.dataset} codes none of the AUs asked for: it has {', '.join(faces.au_names)}"
        )
    from_columns = [column[name] for name in coded]
    to_columns = [number for number, name in enumerate(au_names) if name in column]
    labels = np.full((len(faces), len(au_names)), MISSING, np.int8)
    labels[:, to_columns] = faces.labels[:, from_columns]
    intensity = None
    if faces.intensity is not None:
        intensity = np.full(labels.shape, np.nan, np.float32)
        intensity[:, to_columns] = faces.intensity[:, from_columns]
    return replace(faces, au_names=au_names, labels=labels, intensity=intensity)
