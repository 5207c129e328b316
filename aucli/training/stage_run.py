"""One stage from its first step, or from its checkpoint, to the network that is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aucli.training.batches import Batch, Examples, batches
from aucli.training.checkpoint import load_checkpoint, save_checkpoint
from aucli.training.distributed import Ranks
from aucli.training.engine import Engine
from aucli.training.events import EpochDone, Hook, StageStarted, StepDone
from aucli.training.order import steps_of
from aucli.training.validate import Figures, figures, outputs
from aucli.training.views import Views

_LINES_PER_EPOCH = 100
"""Steps that are told of; each of them makes the device wait for the processor."""


@dataclass
class Course:
    """How a stage has gone so far; part of its checkpoint.

    history: of each epoch, its number, losses and figures. loss_sum: over the steps of the epoch in work.
    best: the epoch (from 1), mean F1 and weights of the best one so far, where that is selected.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    loss_sum: float = 0.0
    best_epoch: int = 0
    best_f1: float = -math.inf
    best_weights: dict[str, Tensor] | None = None


@dataclass(frozen=True, eq=False)
class StageResult:
    """The network to keep, the epoch (from 1) that it is of, and the history of all epochs."""

    stage: int
    network: nn.Module
    epoch: int
    history: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, eq=False)
class StageRun:
    """A stage with everything that it needs.

    watch: faces for figures after each epoch, or None. select_best: keep the epoch with the best mean F1 on
    them, else the last. settings: what must not change between a run and its continuation.
    save_every_seconds: between checkpoints; there is also one after each epoch.
    """

    stage: int
    engine: Engine
    train: Examples
    watch: Examples | None
    views: Views
    au_names: tuple[str, ...]
    au_weights: Tensor
    device: torch.device
    ranks: Ranks
    accumulate: int
    select_best: bool
    checkpoint: Path
    settings: Mapping[str, Any]
    save_every_seconds: float
    on_event: Hook

    def run(self) -> StageResult:
        """Train what is left, and keep the selected epoch.

        Raises:
            TrainingError: a loss or gradient is not finite. OutputError: a checkpoint cannot be written.
            UsageError: the checkpoint there is of a run with other settings.
        """
        course = self._continued()
        engine, recipe = self.engine, self.engine.recipe
        steps_of_epoch = steps_of(self.train.items, recipe.batch_size)
        self.on_event(
            StageStarted(
                stage=self.stage,
                epochs=recipe.epochs,
                steps=engine.steps,
                done=engine.step_number,
                pictures=len(self.train),
                batch_size=recipe.batch_size,
                ranks=self.ranks.count,
                device=str(self.device),
            )
        )
        for epoch in range(engine.step_number // steps_of_epoch, recipe.epochs):
            self._epoch(epoch, engine.step_number % steps_of_epoch, steps_of_epoch, course)
        network = engine.result
        if course.best_weights is not None:
            network.load_state_dict(course.best_weights, strict=True)
        epoch = course.best_epoch if course.best_weights is not None else recipe.epochs
        return StageResult(self.stage, network, epoch, tuple(course.history))

    def _epoch(self, epoch: int, first_step: int, steps: int, course: Course) -> None:
        engine, started = self.engine, time.monotonic()
        saved = shown = started
        every = max(1, steps // _LINES_PER_EPOCH)
        loss_sum = torch.tensor(course.loss_sum, dtype=torch.float64, device=self.device)
        pictures = 0
        # Closed at once on a signal or an error: a thread that still works when Python ends aborts it.
        with closing(self._batches(epoch, first_step)) as all_batches:
            for batch in all_batches:
                loss, rate = engine.step(batch)
                loss_sum += loss
                pictures += len(batch.faces)
                if self.ranks.first and (batch.step + 1) % every == 0:
                    value, now = float(loss), time.monotonic()
                    self.on_event(
                        StepDone(
                            stage=self.stage,
                            epoch=epoch + 1,
                            step=engine.step_number,
                            steps=engine.steps,
                            loss=value,
                            rate=rate,
                            pictures_per_second=pictures / max(now - shown, 1e-6),
                        )
                    )
                    shown, pictures = now, 0
                if time.monotonic() - saved >= self.save_every_seconds and batch.step + 1 < steps:
                    course.loss_sum = float(loss_sum)
                    self._save(course)
                    saved = time.monotonic()
        engine.check()
        done = self._figures(epoch, float(loss_sum) / steps, time.monotonic() - started, course)
        course.history.append(asdict(done))
        course.loss_sum = 0.0
        self._save(course)
        self.on_event(done)

    def _batches(self, epoch: int, first_step: int) -> Generator[Batch, None, None]:
        return batches(
            self.train,
            batch_size=self.engine.recipe.batch_size,
            epoch=epoch,
            first_step=first_step,
            seed=self.engine.seed,
            ranks=self.ranks,
            accumulate=self.accumulate,
            device=self.device,
        )

    def _figures(self, epoch: int, train_loss: float, seconds: float, course: Course) -> EpochDone:
        known: dict[str, Any] = {}
        recipe = self.engine.recipe
        due = (epoch + 1) % recipe.figures_every == 0 or epoch + 1 == recipe.epochs
        if self.watch is not None and due:
            found = self._validated(self.watch)
            known = {
                "val_loss": found.loss,
                "mean_auc": _or_none(found.mean_auc),
                "mean_f1": found.mean_f1,
                "auc": {au: _or_none(auc) for au, auc in zip(self.au_names, found.auc, strict=True)},
                "f1": dict(zip(self.au_names, found.f1, strict=True)),
            }
            if self.select_best and found.mean_f1 > course.best_f1:
                course.best_epoch, course.best_f1 = epoch + 1, found.mean_f1
                kept = self.engine.result.state_dict()
                course.best_weights = {key: value.detach().clone() for key, value in kept.items()}
        return EpochDone(
            stage=self.stage, epoch=epoch + 1, train_loss=train_loss, seconds=round(seconds, 3), **known
        )

    def _validated(self, watch: Examples) -> Figures:
        found = outputs(self.engine.result, watch, self.views, device=self.device, ranks=self.ranks)
        assert found.outputs is not None  # also where they were made of intensities
        return figures(found.outputs, watch.labels, self.au_weights)

    def _save(self, course: Course) -> None:
        if self.ranks.first:
            save_checkpoint(
                self.checkpoint, self.settings, {"engine": self.engine.state(), "course": vars(course)}
            )

    def _continued(self) -> Course:
        state = load_checkpoint(self.checkpoint, self.settings)
        if state is None:
            return Course()
        self.engine.load_state(state["engine"])
        return Course(**state["course"])


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
