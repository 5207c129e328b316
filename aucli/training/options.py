"""What a training run is told, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from aucli.config import Precision
from aucli.errors import UsageError
from aucli.training.initial import default_start
from aucli.training.material import SelectOn
from aucli.training.recipe import RecipeName, Selection, StageRecipe, stage_recipe
from aucli.zoo.card import INTENSITY_SYSTEMS
from aucli_models.backbones import BACKBONES
from aucli_models.registry import SYSTEMS

Stages = Literal["1", "2", "both"]
CLIP_SYSTEMS = frozenset({"mdhr"})
"""Systems that learn from clips instead of single pictures."""
ONE_STAGE = CLIP_SYSTEMS | frozenset(INTENSITY_SYSTEMS)
"""Systems without a second stage."""


@dataclass(frozen=True)
class TrainConfig:
    """One run of `train`. What is None is the recipe's.

    arch: system and backbone, `me_graphau_resnet50`. epochs, rate: one number for each stage that is trained.
    intensity: whether the network is to give intensities too.
    batch_size: pictures of an optimiser step, over all ranks and all `accumulate` parts.
    size: pixels, side of the network's crop. crop: scale and shift_y of its `CropConvention`.
    init: see `initial.read_start`; of the first stage trained.
    select: which epoch is kept. select_on: people of whom the figures after each epoch are.
    hold_out: keep people back for these figures where the protocol trains on everybody but the test people.
    weights: type of the weights in the file at the end.
    """

    dataset: str
    root: Path
    out: Path
    fold: int | None = None
    arch: str = "me_graphau_resnet50"
    stage: Stages = "both"
    au_set: str | None = None
    intensity: bool = False
    recipe: RecipeName = "published"
    epochs: tuple[int, ...] | None = None
    batch_size: int | None = None
    rate: tuple[float, ...] | None = None
    init: str | None = None
    size: int | None = None
    crop: tuple[float, ...] | None = None
    select: Selection | None = None
    select_on: SelectOn = "val"
    hold_out: bool = False
    accumulate: int = 1
    device: str = "auto"
    precision: Precision = "auto"
    compiled: bool = False
    seed: int = 0
    weights: Literal["fp32", "fp16"] = "fp32"
    name: str | None = None
    fresh: bool = False
    save_every_seconds: float = 600.0

    @property
    def stages(self) -> tuple[int, ...]:
        if architecture(self.arch)[0] in ONE_STAGE:
            if self.stage == "2":
                raise UsageError(f"--stage 2: {self.arch} is trained in one stage; leave --stage out")
            return (1,)
        return (1, 2) if self.stage == "both" else (int(self.stage),)

    @property
    def start(self) -> str:
        """What the first stage starts from."""
        return self.init or default_start(architecture(self.arch)[1])

    def recipe_of(self, stage: int) -> StageRecipe:
        """The recipe of a stage with what is given here in its place.

        Raises:
            UsageError: a number that cannot be, or more or fewer than there are stages.
        """
        system, backbone = architecture(self.arch)
        recipe = stage_recipe(self.recipe, system, backbone, stage)
        place = self.stages.index(stage)
        for name, given in (("--epochs", self.epochs), ("--lr", self.rate)):
            if given is not None and len(given) != len(self.stages):
                example = "20,20" if name == "--epochs" else "1e-4,1e-6"
                raise UsageError(
                    f"{name} {','.join(map(str, given))}: give one number for each stage that is trained, "
                    f"for instance {name} {example} with --stage both"
                )
            if given is not None and not all(number > 0 for number in given):
                raise UsageError(f"{name} {','.join(map(str, given))}: must be above 0")
        if self.batch_size is not None and self.batch_size < 2:
            raise UsageError(f"--batch-size {self.batch_size}: must be 2 or more, for batch norms")
        return replace(
            recipe,
            epochs=recipe.epochs if self.epochs is None else self.epochs[place],
            rate=recipe.rate if self.rate is None else self.rate[place],
            batch_size=recipe.batch_size if self.batch_size is None else self.batch_size,
            select=self.select or recipe.select,
        )

    def input_size(self) -> int:
        """Pixels of the network's crop.

        Raises:
            UsageError: the backbone cannot take this size.
        """
        system, backbone = architecture(self.arch)
        spec = BACKBONES[backbone]
        own = 112 if spec.placed_tokens else 256 if system in INTENSITY_SYSTEMS else 224
        if self.size is None or self.size == own:
            return own
        if spec.family != "resnet" or spec.placed_tokens:
            raise UsageError(f"--size {self.size}: {backbone} takes {own} pixels only; leave it out")
        if self.size < 64 or self.size % 32:
            raise UsageError(f"--size {self.size}: {backbone} takes multiples of 32 from 64 on")
        return self.size


def architecture(arch: str) -> tuple[str, str]:
    """`me_graphau_resnet50` -> ("me_graphau", "resnet50").

    Raises:
        UsageError: an unknown system or backbone; the known ones are named.
    """
    for system in SYSTEMS:
        if arch.startswith(f"{system}_") and arch.removeprefix(f"{system}_") in BACKBONES:
            return system, arch.removeprefix(f"{system}_")
    raise UsageError(
        f"--arch {arch!r}: write a system ({', '.join(SYSTEMS)}), _ and a backbone ({', '.join(BACKBONES)}), "
        "for instance me_graphau_resnet50"
    )
