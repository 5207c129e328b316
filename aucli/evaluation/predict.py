"""A model over all pictures of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.pictures import Unreadable, read_crops
from aucli.errors import CheckpointError, UsageError
from aucli.evaluation.decide import decided_from, protocol_threshold
from aucli.evaluation.predict_clips import ClipScores, in_time
from aucli.evaluation.sample import Sample
from aucli.inference.postprocess import Postprocess
from aucli.inference.predictor import Predictor
from aucli.inference.prefetch import prefetch
from aucli.sinks.frames import MAX_INTENSITY
from aucli.zoo.card import Card

READ_AT_ONCE = 256
_AHEAD = 2

Progress = Callable[[int, int], None]
"""Called with the pictures done and the pictures there are."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """The network's outputs, float32 (len(rows), AUs of the card), of the rows that could be read; a fifth of
    the intensities where it gives no probabilities.

    intensities: alike, or None where the network gives none.
    rows: int64, in order. unreadable: path -> reason.
    """

    values: NDArray[np.float32]
    rows: NDArray[np.int64]
    unreadable: dict[str, str]
    intensities: NDArray[np.float32] | None = None


def predict(faces: LabelledFaces, predictor: Predictor, on_progress: Progress | None = None) -> Outputs:
    """Run the model over every picture, cut out as its card says.

    Raises:
        UsageError: there are no faces, or too many pictures cannot be read, see `Unreadable`.
        CheckpointError: the network gives values that are not finite.
    """
    unreadable = Unreadable(len(faces))
    card = predictor.card
    order = in_time(faces) if card.reads_clips else np.arange(len(faces))
    clips = ClipScores(faces, predictor, unreadable) if card.reads_clips else None
    parts = []
    done = 0
    with closing(prefetch(_crops(faces, order, card, unreadable), _AHEAD)) as ahead:
        for rows, crops in ahead:
            if clips is not None:
                clips.add(rows, crops)
            else:
                pixels = torch.from_numpy(crops).to(predictor.device).permute(0, 3, 1, 2).float()
                parts.append(predictor(pixels))
            done += len(crops)
            if on_progress is not None:
                on_progress(done, len(faces))
    nothing = np.zeros((0, len(card.au_names)), np.float32)
    given = [part.intensities for part in parts if part.intensities is not None]
    intensities = np.concatenate([nothing, *given]) if card.intensity else None
    found = [part.outputs for part in parts if part.outputs is not None]
    values = np.concatenate([nothing, *found])
    if clips is not None:
        clips.finish()
        values = clips.values
    elif intensities is not None and not card.probabilities:
        values = intensities / np.float32(MAX_INTENSITY)
    rows = np.setdiff1d(np.arange(len(faces)), sorted(unreadable.rows))
    if len(rows) == 0:
        raise UsageError(
            f"{faces.root}: this part of {faces.dataset} has no faces: nothing can be measured on it"
        )
    if not all(np.isfinite(some[rows]).all() for some in (values, intensities) if some is not None):
        raise CheckpointError(
            f"{predictor.card.name} gives values that are not finite: its weights are damaged"
        )
    reasons = {faces.paths[row]: reason for row, reason in sorted(unreadable.reasons.items())}
    return Outputs(values[rows], rows, reasons, None if intensities is None else intensities[rows])


def _crops(
    faces: LabelledFaces, order: NDArray[np.int64], card: Card, unreadable: Unreadable
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    for start in range(0, len(faces), READ_AT_ONCE):
        rows = order[start : start + READ_AT_ONCE]
        yield rows, read_crops(faces, rows.tolist(), card.crop, unreadable=unreadable, whole=card.whole_crops)


def sample_of(faces: LabelledFaces, outputs: Outputs, card: Card, au_names: tuple[str, ...]) -> Sample:
    """What is scored: outputs and labels of these AUs, which both the model and the dataset have."""
    if card.probabilities:
        probabilities, occurrences = Postprocess.of(card)(outputs.values)
    else:
        probabilities = outputs.values
        occurrences = probabilities >= decided_from(card, card.au_names)
    columns = [card.au_names.index(au) for au in au_names]
    labels = [faces.au_names.index(au) for au in au_names]
    measured = None if faces.intensity is None else faces.intensity[outputs.rows][:, labels]
    return Sample(
        au_names=au_names,
        outputs=outputs.values[:, columns],
        probabilities=probabilities[:, columns],
        occurrences=occurrences[:, columns],
        thresholds=decided_from(card, au_names),
        labels=faces.labels[outputs.rows][:, labels],
        subjects=tuple(faces.subjects[row] for row in outputs.rows),
        intensities=None if outputs.intensities is None else outputs.intensities[:, columns],
        measured=measured,
        protocol_threshold=protocol_threshold(card),
    )
