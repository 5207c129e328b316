"""Recipes of training as data: the published ones, and that of the built-in model.

`published` has the values of the authors' code. Where the papers' text differs:

- ME-GraphAU's text has K of the neighbour graph swapped between BP4D and DISFA
  (`aucli_models.me_graphau`) and class weights that sum to 1 instead of to the number of AUs
  (`losses.au_weights`); its 40 epochs are 20 for each stage; rates are those of the README's commands: 1e-4,
  then 1e-6 for Swin, and for ResNets the script's default 1e-5, where the text says 1e-6.
- OpenGraphAU's second stage has no loss on edges and is trained with sharpness-aware minimisation.
- MDHR's code is for BP4D alone; for DISFA the same values are taken. It looks at the people of the test part
  every 25 epochs and keeps the best of these: so did its published numbers come about (`--select best-val
  --select-on test`). Here the last epoch is kept. An epoch sees 16 frames of each recording.
- The code saves the last epoch (ME-GraphAU), or the one with the best mean F1 on the validation people
  (OpenGraphAU). ME-GraphAU's published numbers are those of the epoch that was best on the test people.
- SCC's code has no augmentation; its rate falls to a tenth at epochs 5 and 10 of 10.

Epochs are dealt into batches of nearly equal size here (`order`); the code has a smaller last batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aucli.errors import UsageError
from aucli_models.backbones import BACKBONES

RecipeName = Literal["published", "synth"]
Augmentation = Literal["published", "strong", "clip", "none"]
Selection = Literal["last", "best-val"]


@dataclass(frozen=True)
class StageRecipe:
    """Numbers of one stage; `batch_size` is that of an optimiser step, over all ranks: pictures, or clips.

    rate: learning rate at its highest; it follows a cosine to 0, one value per step.
    warmup: share of the steps over which the rate rises first.
    front_rate_factor: of everything before the graph (stage 2).
    weight_decay: on all parameters, or with `decay_matrices_only` not on biases, norms and the like.
    edge_weight: lambda of the loss on AU pairs (stage 2 of ME-GraphAU).
    sam_rho: radius of adaptive sharpness-aware minimisation, None for a plain step.
    clip_norm: longest gradient, None for any.
    average: decay of the averaged weights that are then the result, None for the weights themselves.
    auxiliary: heads during training that also learn intensities from the map and from the nodes.
    clean: share of the pictures whose appearance is left as it is.
    adam: Adam with a penalty on squared weights, instead of AdamW.
    rate_drops: epochs (from 0) from which on the rate is a tenth of what it was; then it follows no cosine.
    warm_graph: stage 2 begins with the graph of stage 1 instead of a random one.
    state_weight: of the loss on the joint states of a region's AUs (MDHR).
    figures_every: epochs between figures on other people; the last one always has them.
    """

    epochs: int
    batch_size: int
    rate: float
    weight_decay: float = 5e-4
    decay_matrices_only: bool = False
    warmup: float = 0.0
    front_rate_factor: float = 1.0
    edge_weight: float = 0.0
    sam_rho: float | None = None
    clip_norm: float | None = None
    average: float | None = None
    auxiliary: bool = False
    augmentation: Augmentation = "published"
    clean: float = 0.0
    warm_graph: bool = False
    state_weight: float = 0.0
    figures_every: int = 1
    select: Selection = "last"
    adam: bool = False
    rate_drops: tuple[int, ...] = ()


# From random weights: a higher rate that rises first, heads that see positions, and weight averaging.
_SYNTH_STAGE1 = StageRecipe(
    epochs=16,
    batch_size=64,
    rate=2.5e-3,
    weight_decay=0.02,
    decay_matrices_only=True,
    warmup=0.06,
    clip_norm=5.0,
    average=0.999,
    auxiliary=True,
    augmentation="strong",
    clean=0.5,
)
_SYNTH_STAGE2 = StageRecipe(
    epochs=1,
    batch_size=48,
    rate=8e-4,
    weight_decay=0.02,
    decay_matrices_only=True,
    warmup=0.08,
    front_rate_factor=0.4,
    edge_weight=0.05,
    clip_norm=5.0,
    average=0.99,
    auxiliary=True,
    augmentation="strong",
    clean=0.5,
    warm_graph=True,
)


_ONE_STAGE = {  # the published ones of systems that have no second
    "scc": StageRecipe(
        epochs=10,
        batch_size=16,
        rate=5e-4,
        weight_decay=1e-5,
        decay_matrices_only=True,
        augmentation="none",
        adam=True,
        rate_drops=(5, 10),
    ),
    "mdhr": StageRecipe(
        epochs=200, batch_size=8, rate=1e-4, augmentation="clip", state_weight=0.01, figures_every=25
    ),
}


def stage_recipe(name: RecipeName, system: str, backbone: str, stage: int) -> StageRecipe:
    """The recipe of one stage.

    Raises:
        UsageError: no recipe of that name, or none for this system.
    """
    if name == "published" and system in _ONE_STAGE:
        return _ONE_STAGE[system]
    if name == "synth" and system == "me_graphau":
        return _SYNTH_STAGE1 if stage == 1 else _SYNTH_STAGE2
    if name == "published" and system == "me_graphau":
        if stage == 1:
            return StageRecipe(epochs=20, batch_size=64, rate=1e-4)
        swin = BACKBONES[backbone].family == "swin"
        return StageRecipe(
            epochs=20, batch_size=64, rate=1e-6 if swin else 1e-5, edge_weight=0.01 if swin else 0.05
        )
    if name == "published" and system == "open_graphau":
        if stage == 1:
            return StageRecipe(epochs=20, batch_size=512, rate=2e-5, select="best-val")
        return StageRecipe(epochs=20, batch_size=512, rate=1e-5, sam_rho=2.0, select="best-val")
    raise UsageError(f"--recipe {name}: there is none of that name for {system}; choose published")
