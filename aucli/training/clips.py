"""Clips for training and for figures: which frames follow each other, and which run of them an epoch takes.

As MDHR's authors sample: an epoch sees each recording once, by a random run of 16 of its pictures, one after
the other in the list; a missing frame number inside it does not matter to them. A recording that is shorter
is filled with its last picture, whose repetitions have no labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import LabelledFaces
from aucli.errors import UsageError
from aucli.evaluation.predict_clips import follows, in_time
from aucli.training.draws import Draws
from aucli_models.mdhr_regions import REGIONS

_STARTS = 3  # purpose of draws
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clips:
    """How faces are dealt into clips.

    frames: of a clip. recordings: the faces of each, in the order of time. sequences: the runs of faces whose
    frames follow each other without a gap. regions: by name, the columns of their AUs.
    """

    frames: int
    recordings: tuple[Rows, ...]
    sequences: tuple[Rows, ...]
    regions: Mapping[str, tuple[int, ...]]

    def drawn(
        self, recordings: Rows, *, seed: int, epoch: int, positions: Rows
    ) -> tuple[Rows, NDArray[np.bool_]]:
        """A clip of each of these recordings: faces int64 (recordings * frames,), clip after clip, and
        whether each is more than a filling. positions: the recordings' places in the epoch's order.
        """
        shares = Draws(seed, epoch, positions, purpose=_STARTS).uniform().numpy().astype(np.float64)
        faces, real = [], []
        for number, share in zip(recordings, shares, strict=True):
            all_of_it = self.recordings[number]
            start = int(share * max(1, len(all_of_it) - self.frames + 1))
            places = start + np.arange(self.frames)
            faces.append(all_of_it[places.clip(max=len(all_of_it) - 1)])
            real.append(places < len(all_of_it))
        return np.concatenate(faces), np.concatenate(real)


def clips_of(faces: LabelledFaces, kept: Rows, au_set: str, frames: int) -> Clips:
    """The clips of those rows of a dataset that are kept, by their places among these.

    Raises:
        UsageError: no picture follows another.
    """
    place = {int(row): number for number, row in enumerate(kept)}
    order = [int(row) for row in in_time(faces) if int(row) in place]
    recordings: dict[tuple[str, str], list[int]] = {}
    sequences: list[list[int]] = []
    before = None
    for row in order:
        recordings.setdefault((faces.subjects[row], faces.videos[row]), []).append(place[row])
        if before is None or not follows(faces, row, before):
            sequences.append([])
        sequences[-1].append(place[row])
        before = row
    if all(len(one) == 1 for one in sequences):
        raise UsageError(
            f"{faces.root}: no picture of {faces.dataset} is the next frame of another, and a network of "
            "clips learns from motion: take recordings with numbered frames, or --arch me_graphau_resnet50"
        )
    regions = {
        region.name: tuple(faces.au_names.index(au) for au in region.aus) for region in REGIONS[au_set]
    }
    return Clips(
        frames,
        tuple(np.array(one, np.int64) for one in recordings.values()),
        tuple(np.array(one, np.int64) for one in sequences),
        regions,
    )
