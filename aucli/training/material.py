"""What a run trains and validates on: parts of a dataset, checked, and their packed crops."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from aucli.datasets.labelled import MISSING, LabelledFaces
from aucli.datasets.open import open_dataset
from aucli.datasets.rates import class_rates
from aucli.datatypes import CropConvention
from aucli.errors import OutputError, UsageError
from aucli.training.batches import Examples
from aucli.training.clips import clips_of
from aucli.training.distributed import Ranks, wait_for_all
from aucli.training.events import Hook, Note, Packing
from aucli.training.landmarks import in_packed_crops
from aucli.training.losses import au_weights
from aucli.training.pack import bytes_needed, free_bytes, make_pack, open_pack
from aucli_models.au import AU_SETS
from aucli_models.mdhr import CLIP_FRAMES

SelectOn = Literal["val", "test"]


@dataclass(frozen=True, eq=False)
class Parts:
    """Faces to train on, faces for figures after each epoch (None: nobody is left for that), and remarks.

    learnt_val: whether people of `val` are among those trained on; None where there are too few to tell.
    """

    train: LabelledFaces
    watch: LabelledFaces | None
    watched: SelectOn
    learnt_val: bool | None
    notes: tuple[str, ...]


def open_parts(
    dataset: str,
    root: Path,
    *,
    fold: int | None,
    au_set: str | None,
    hold_out: bool,
    watch: SelectOn,
) -> Parts:
    """Both parts of a dataset. Nobody is in both.

    Raises:
        InputNotFoundError, UsageError: see `open_dataset`; a part without faces.
    """
    train = open_dataset(dataset, root, "train", fold=fold, au_set=au_set, hold_out=hold_out)
    if not len(train):
        raise UsageError(f"{root}: the part train of {dataset} has no faces")
    val: LabelledFaces | None = None
    with suppress(UsageError) if watch == "test" else nullcontext():  # nobody needs it there
        val = open_dataset(dataset, root, "val", fold=fold, au_set=au_set)
    learnt_val = None if val is None else bool(set(train.subjects) & set(val.subjects))
    watched: LabelledFaces | None = (
        val if watch == "val" else open_dataset(dataset, root, watch, fold=fold, au_set=au_set)
    )
    assert watched is not None
    notes = []
    if watch == "test":
        notes.append(
            "figures after each epoch are on the test people: whatever is chosen by them flatters the "
            "model, as it does the published numbers"
        )
    if not (watched.labels != MISSING).any():
        watched = None
        notes.append(
            f"{dataset} has no labelled faces in its part {watch}: there are no figures after epochs"
        )
    elif set(train.subjects) & set(watched.subjects):
        if watch == "test":
            raise UsageError(
                f"{root}: people of the test part are also in the training part; correct the lists"
            )
        watched = None
        notes.append(
            "the protocol trains on everybody who is not tested, so there are no figures after epochs; "
            "--hold-out keeps a sixth of these people back for them"
        )
    return Parts(train, watched, watch, learnt_val, tuple(notes))


def au_set_of(au_names: tuple[str, ...]) -> str:
    """The name of the AU set with just these AUs in this order.

    Raises:
        UsageError: there is none.
    """
    for name, aus in AU_SETS.items():
        if aus == au_names:
            return name
    raise UsageError(
        f"networks predict one of the AU sets {', '.join(AU_SETS)}, and these labels "
        f"({', '.join(au_names)}) are none of them: name one with --au-set whose AUs are all coded here"
    )


def weights_of(faces: LabelledFaces) -> Tensor:
    """Class weights of the training part: float64 (aus,).

    Raises:
        UsageError: an AU is never coded or never occurs.
    """
    rates = class_rates(faces)
    absent = [au for au, rate in zip(faces.au_names, rates, strict=True) if not rate > 0]
    if absent:
        raise UsageError(
            f"{', '.join(absent)} never occurs in the training part, so nothing can be learned of it: choose "
            "an --au-set without it"
        )
    return au_weights(rates)


def examples_of(
    faces: LabelledFaces,
    convention: CropConvention,
    file: Path,
    *,
    part: str,
    ranks: Ranks,
    on_event: Hook,
    clips_of_set: str | None = None,
) -> Examples:
    """The part's faces with a label and a readable picture; packs their crops into `file` if need be.

    clips_of_set: the AU set of a network that reads clips, None for one that reads single pictures.

    Raises:
        UsageError: more than 1 % of the pictures cannot be read.
        OutputError: there is no room, or the file cannot be written.
    """
    if ranks.first and open_pack(file, faces, convention) is None:
        needed, room = bytes_needed(len(faces), convention.size), free_bytes(file.parent)
        if needed > room:
            raise OutputError(
                f"the crops of {len(faces)} faces need {needed / 1e9:.1f} GB, and {file.parent} has room for "
                f"{room / 1e9:.1f}: make room or choose another --out"
            )
        make_pack(file, faces, convention, lambda done: on_event(Packing(part, done, len(faces))))
    wait_for_all()
    pack = open_pack(file, faces, convention)
    if pack is None:
        raise OutputError(f"{file} is not there: all ranks must see one and the same folder as --out")
    if pack.unreadable:
        first = next(iter(pack.unreadable.values()))
        on_event(Note(f"{len(pack.unreadable)} of {len(faces)} pictures of {part} left out: {first}"))
    landmarks = None
    if faces.landmarks is not None and faces.points is not None:
        landmarks = in_packed_crops(faces.landmarks, faces.points, convention)
    keep = (faces.labels != MISSING).any(axis=1)
    keep[list(pack.unreadable)] = False
    rows = np.flatnonzero(keep)
    return Examples(
        pack.crops,
        rows,
        np.ascontiguousarray(faces.labels[rows]),
        None if faces.intensity is None else np.ascontiguousarray(faces.intensity[rows]),
        None if landmarks is None else landmarks[rows],
        [faces.paths[row] for row in rows],
        faces.au_names,
        None if clips_of_set is None else clips_of(faces, rows, clips_of_set, CLIP_FRAMES),
    )
