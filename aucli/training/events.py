"""What a training run tells while it runs; a hook of the caller gets each of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """Something that the user should know."""

    text: str


@dataclass(frozen=True)
class Packing:
    """Crops of a part are cut out, `done` of `total` so far."""

    part: str
    done: int
    total: int


@dataclass(frozen=True)
class StageStarted:
    """A stage begins, or goes on after `done` of its `steps`."""

    stage: int
    epochs: int
    steps: int
    done: int
    pictures: int
    batch_size: int
    ranks: int
    device: str


@dataclass(frozen=True)
class StepDone:
    """`step` of all `steps` of the stage are done; the loss is that of the step's whole batch."""

    stage: int
    epoch: int
    step: int
    steps: int
    loss: float
    rate: float
    pictures_per_second: float


@dataclass(frozen=True)
class EpochDone:
    """Means over an epoch, counted from 1, and figures on the validation part, None where there is none.

    auc, f1: per AU; None for an AU of which the part has one class only.
    """

    stage: int
    epoch: int
    train_loss: float
    seconds: float
    val_loss: float | None = None
    mean_auc: float | None = None
    mean_f1: float | None = None
    auc: Mapping[str, float | None] = field(default_factory=dict)
    f1: Mapping[str, float] = field(default_factory=dict)


Event = Note | Packing | StageStarted | StepDone | EpochDone
Hook = Callable[[Event], None]
