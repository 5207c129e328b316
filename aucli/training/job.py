"""Everything that stays fixed in a training run: data, start, crops, and where it computes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from aucli.datasets.au_places import weights_of_landmarks
from aucli.datasets.labelled import LabelledFaces
from aucli.datatypes import CropConvention
from aucli.errors import UsageError
from aucli.training.batches import Examples
from aucli.training.crops import packed_side
from aucli.training.distributed import Ranks
from aucli.training.engine import Arithmetic
from aucli.training.events import Hook, Note
from aucli.training.initial import Start, read_start
from aucli.training.material import Parts, au_set_of, examples_of, open_parts, weights_of
from aucli.training.options import CLIP_SYSTEMS, TrainConfig, architecture
from aucli.training.recipe import StageRecipe
from aucli.training.views import Views
from aucli.zoo.card import INTENSITY_SYSTEMS, Card
from aucli.zoo.published import generic
from aucli_models.mdhr_regions import REGIONS
from aucli_models.open_graphau import AU_SET as OPEN_GRAPHAU_SET
from aucli_models.registry import ModelSpec

_MARGIN = 256 / 224  # of a crop with the authors' margin to what the network sees
WHOLE_CROPS = frozenset({"mdhr"})
"""Systems that see a part of a crop in training and the whole of it outside, as their authors have it."""


@dataclass(frozen=True, eq=False)
class Job:
    """What the stages of a run share.

    recipes: of the stages that are trained. start: of the first of them. convention: how the crops are cut,
    and how `extract` will cut them. watch: faces for figures after each epoch, None where nobody is left.
    """

    config: TrainConfig
    recipes: Mapping[int, StageRecipe]
    ranks: Ranks
    arithmetic: Arithmetic
    on_event: Hook
    parts: Parts
    au_set: str
    au_weights: Tensor
    start: Start
    convention: CropConvention
    train: Examples
    watch: Examples | None

    def spec(self, stage: int) -> ModelSpec:
        system, backbone = architecture(self.config.arch)
        intensity = self.config.intensity or system in INTENSITY_SYSTEMS
        return ModelSpec(system, backbone, self.au_set, stage, self.convention.size, intensity)

    def views(self, recipe: StageRecipe) -> Views:
        """OpenGraphAU's authors never mirror a picture."""
        system = architecture(self.config.arch)[0]
        return Views(
            self.convention, recipe.augmentation, flip=system != "open_graphau", whole=system in WHOLE_CROPS
        )

    def name(self, stage: int) -> str:
        """Of the stage's model."""
        config = self.config
        if config.name is not None and len(config.stages) == 1:
            return config.name
        base = config.name or _base_name(config, self.au_set)
        return base if architecture(config.arch)[0] in CLIP_SYSTEMS else f"{base}_stage{stage}"

    def checkpoint(self, stage: int) -> Path:
        return self.config.out / f"stage{stage}.checkpoint"

    def settings(self, stage: int) -> dict[str, Any]:
        """What a checkpoint depends on; the number of ranks and the device do not belong to it."""
        config, card = self.config, self.start.card
        first = stage == config.stages[0]
        return {
            "arch": config.arch,
            "au_set": self.au_set,
            "stage": stage,
            "intensity": config.intensity,
            "crop": asdict(self.convention),
            "recipe": asdict(self.recipes[stage]),
            "seed": config.seed,
            "precision": self.arithmetic.precision,
            "accumulate": config.accumulate,
            "init": self.start.name if first else "stage 1",
            "init_sha256": card.sha256 if first and card is not None else None,
            "dataset": config.dataset.lower(),
            "fold": config.fold,
            "pictures_sha256": self._data_key(),
            "select_on": config.select_on,
        }

    def _data_key(self) -> str:
        """What is trained on: the faces with their labels, without those whose pictures are not readable."""
        digest = hashlib.sha256("\n".join(self.train.names).encode())
        train = self.train
        for array in (train.labels, train.intensity, self.parts.train.points, train.landmarks):
            digest.update(b"none" if array is None else array.tobytes())
        return digest.hexdigest()


def make_job(
    config: TrainConfig,
    recipes: Mapping[int, StageRecipe],
    *,
    ranks: Ranks,
    arithmetic: Arithmetic,
    on_event: Hook,
) -> Job:
    """Open the dataset, read what is started from, and pack the crops.

    Raises:
        InputNotFoundError, UsageError, CheckpointError, UnknownModelError: see `open_dataset`, `read_start`.
        OutputError: the crops cannot be written.
    """
    parts = open_parts(
        config.dataset,
        config.root,
        fold=config.fold,
        au_set=config.au_set,
        hold_out=config.hold_out,
        watch=config.select_on,
    )
    for note in parts.notes:
        on_event(Note(note))
    for stage, recipe in recipes.items():
        if recipe.select == "best-val" and parts.watch is None:
            raise UsageError(
                f"stage {stage} keeps the epoch with the best validation figures, and nobody is left to "
                "validate on: give --hold-out, or --select last"
            )
    au_set = config.au_set or au_set_of(parts.train.au_names)
    system = architecture(config.arch)[0]
    if system == "open_graphau" and au_set != OPEN_GRAPHAU_SET:
        raise UsageError(
            f"--arch {config.arch}: OpenGraphAU predicts --au-set {OPEN_GRAPHAU_SET}, not {au_set}"
        )
    if system in CLIP_SYSTEMS:
        _check_clips(config, au_set)
    if config.intensity or system in INTENSITY_SYSTEMS:
        _check_intensities(config, parts.train)
    if system in INTENSITY_SYSTEMS:
        weights_of_landmarks(au_set)  # an AU without a place is refused
        if parts.train.landmarks is None:
            raise UsageError(
                f"--arch {config.arch}: the places of its AUs come from 68 landmarks, and {config.dataset} "
                f"in {config.root} has none: synthfaces has them"
            )
    start = read_start(_start_name(config, au_set))
    convention = _crop_convention(config, parts.train, start, au_set)

    def examples(faces: LabelledFaces, part: str) -> Examples:
        file = config.out / f"crops.{part}.u8"
        clips = au_set if system in CLIP_SYSTEMS else None
        return examples_of(
            faces, convention, file, part=part, ranks=ranks, on_event=on_event, clips_of_set=clips
        )

    train = examples(parts.train, "train")
    watch = None if parts.watch is None else examples(parts.watch, parts.watched)
    return Job(
        config=config,
        recipes=recipes,
        ranks=ranks,
        arithmetic=arithmetic,
        on_event=on_event,
        parts=parts,
        au_set=au_set,
        au_weights=weights_of(parts.train),
        start=start,
        convention=convention,
        train=train,
        watch=watch,
    )


def _check_clips(config: TrainConfig, au_set: str) -> None:
    if au_set not in REGIONS:
        raise UsageError(
            f"--arch {config.arch}: MDHR has face regions for {' and '.join(REGIONS)}: give --au-set"
        )
    if config.intensity:
        raise UsageError(
            f"--intensity: {config.arch} learns whether AUs occur, not how strongly: leave it out"
        )


def _check_intensities(config: TrainConfig, faces: LabelledFaces) -> None:
    if faces.intensity is None or not np.isfinite(faces.intensity).any():
        asked = "--intensity" if config.intensity else f"--arch {config.arch}"
        raise UsageError(
            f"{asked}: {config.dataset} in {config.root} says only whether AUs occur, not how strongly: "
            f"leave {asked} out, or train on data with intensities (synthfaces, disfa, or a table with "
            "AU12_int)"
        )


def _base_name(config: TrainConfig, au_set: str) -> str:
    return f"{config.arch}.{au_set}" + ("" if config.fold is None else f"_fold{config.fold}")


def _start_name(config: TrainConfig, au_set: str) -> str:
    """What the first stage starts from; stage 2 alone may take the stage 1 of an earlier run."""
    if config.stages != (2,) or config.init is not None:
        return config.start
    stage1 = config.out / f"{_base_name(config, au_set)}_stage1.json"
    if stage1.is_file():
        return str(stage1)
    raise UsageError(
        f"--stage 2 begins with a trained stage 1, and {stage1} is not there: give one with --init, or "
        "--stage both"
    )


def _crop_convention(config: TrainConfig, faces: LabelledFaces, start: Start, au_set: str) -> CropConvention:
    """How the middle of a packed crop lies on the face, as far as the training pictures tell.

    Crops that were prepared: so that with the margin they are just those. Pictures with points: as
    `config.crop` says, as the model that is started from, or the default. Ready crops of unknown convention:
    the one fitted to the authors' crops of this AU set. But for `WHOLE_CROPS`, `extract` will cut just so.
    """
    size = config.input_size()
    if faces.crop is not None and config.crop is None:
        return CropConvention(size, faces.crop.scale * _MARGIN, faces.crop.shift_y * _MARGIN)
    known = CropConvention()
    if config.crop is not None:
        known = _chosen_convention(config.crop, size, faces)
    elif faces.points is not None:
        card: Card | None = start.card
        known = known if card is None else card.crop
    else:
        with suppress(KeyError):  # an AU set that the authors have not
            known = generic(*architecture(config.arch), au_set, 1).crop
    # Where outside of training the whole crop is seen, that is what these speak of.
    part = packed_side(size) / size if architecture(config.arch)[0] in WHOLE_CROPS else 1.0
    return CropConvention(size, known.scale * part, known.shift_y * part)


def _chosen_convention(crop: tuple[float, ...], size: int, faces: LabelledFaces) -> CropConvention:
    given = ",".join(map(str, crop))
    if len(crop) != 2 or not (0.3 <= crop[0] <= 2 and -0.5 <= crop[1] <= 0.5):
        raise UsageError(
            f"--crop {given}: give the scale (0.3 to 2; larger is nearer) and how far down the face moves "
            "(-0.5 to 0.5 of the side), for instance 0.9,-0.1"
        )
    if faces.points is None:
        raise UsageError(
            f"--crop {given}: the pictures of {faces.dataset} are crops already, cut when they were made: "
            "leave --crop out"
        )
    return CropConvention(size, *crop)
