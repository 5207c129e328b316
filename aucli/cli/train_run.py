"""A training run with everything that a person sees of it: progress on stderr, the models on stdout."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import TaskID

from aucli.cli.progress import progress_bars
from aucli.cli.summary import stdout_console
from aucli.datatypes import counted
from aucli.errors import DeviceError, TrainingError, UsageError
from aucli.evaluation.compare import Difference
from aucli.inference.supervisor import stop_on_sigterm
from aucli.training.distributed import Ranks
from aucli.training.events import EpochDone, Event, Note, Packing, StageStarted, StepDone
from aucli.training.run import TrainConfig, TrainResult, train


def train_and_show(
    dataset: str, root: Path, out: Path, options: Mapping[str, Any], *, quiet: bool = False
) -> int:
    """Train and show it; returns the exit code.

    Raises:
        AucliError: see `train`. Of several ranks that refuse the same, the first one alone says so.
    """
    errors = Console(stderr=True)
    progress = _Bars(errors) if errors.is_terminal else _Lines(errors)
    with stop_on_sigterm(), progress:
        try:
            result = train(
                TrainConfig(dataset, root, out, **options), (lambda event: None) if quiet else progress
            )
        except (UsageError, TrainingError) as error:
            if Ranks.of_environment().first or isinstance(error, DeviceError):
                raise
            return error.exit_code
    if Ranks.of_environment().first and not quiet:
        _show(result)
    return 0


def _show(result: TrainResult) -> None:
    console = stdout_console()
    for card, path, stage in zip(result.cards, result.paths, result.stages, strict=True):
        figures = stage.history[stage.epoch - 1]
        found = ", ".join(
            f"{name} {figures[key]:.3f}"
            for name, key in (("mean AUC", "mean_auc"), ("mean F1 at 0.5", "mean_f1"))
            if figures[key] is not None
        )
        known = f": {found}" if found else ""
        console.print(f"Stage {stage.stage}, epoch {stage.epoch}{known}", markup=False, soft_wrap=True)
        if card.intensity:
            # A model of intensities alone writes all of them; those that agree badly are weak.
            weak_ones = () if card.probabilities else card.weak_aus
            of_use = [au for au in card.intensity_aus if au not in weak_ones]
            console.print(f"Intensities of use: {', '.join(of_use) or 'none'}", markup=False)
        weak = f" (weak AUs: {', '.join(card.weak_aus)})" if card.weak_aus else ""
        console.print(f"Written: {path}{weak}", markup=False, soft_wrap=True)
    if result.difference is not None:
        console.print(_in_words(result.difference), markup=False, soft_wrap=True)
    console.print(
        f"Try: aucli extract VIDEOS -o out.parquet --model {result.paths[-1]}", markup=False, soft_wrap=True
    )


def _in_words(difference: Difference) -> str:
    parts = []
    for name, value, ends in (
        ("mean AUC", difference.mean_auc, difference.mean_auc_interval),
        ("mean F1 at 0.5", difference.mean_f1, difference.mean_f1_interval),
    ):
        if value is not None:
            between = "" if ends is None else f" (95 %: {ends[0]:+.4f} to {ends[1]:+.4f})"
            parts.append(f"{name} {value:+.4f}{between}")
    faces, people = counted(difference.faces, "face"), counted(difference.subjects, "subject")
    return f"Stage 2 minus stage 1, {faces} of {people}: {', '.join(parts)}"


class _Lines:
    """A plain line every few seconds, for log files and batch systems."""

    def __init__(self, console: Console, *, seconds_between: float = 5.0) -> None:
        self._console = console
        self._seconds_between = seconds_between
        self._printed = -seconds_between
        self._clock = _TimeLeft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def __call__(self, event: Event) -> None:
        self._clock.add(event)
        if isinstance(event, StepDone | Packing) and not self._is_time(event):
            return
        self._printed = time.monotonic()
        text = _line(event) + (self._clock.left() if isinstance(event, StepDone) else "")
        self._console.print(f"aucli: {text}", markup=False, highlight=False, soft_wrap=True)

    def _is_time(self, event: StepDone | Packing) -> bool:
        waited = time.monotonic() - self._printed >= self._seconds_between
        return waited or (isinstance(event, Packing) and event.done == event.total)


class _Bars:
    """A bar for what is being done, and a line above it for each epoch."""

    def __init__(self, console: Console) -> None:
        self._bars = progress_bars(console)
        self._task: TaskID | None = None
        self._what = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case Packing():
                self._show(
                    f"crops of {event.part}", event.done, event.total, f"{event.done} of {event.total}"
                )
            case StepDone():
                count = f"loss {event.loss:.4f}, {event.pictures_per_second:.0f} pictures/s"
                self._show(f"stage {event.stage}, epoch {event.epoch}", event.step, event.steps, count)
            case _:
                self._bars.console.print(_line(event), markup=False, highlight=False)

    def _show(self, what: str, done: int, total: int, count: str) -> None:
        bar = what.partition(",")[0]  # one bar for all epochs of a stage
        if self._task is None or bar != self._what:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._what, self._task = bar, self._bars.add_task(what, count=count, total=total)
        self._bars.update(self._task, description=what, completed=done, total=total, count=count)


class _TimeLeft:
    """Seconds that a stage still takes, from its steps since it started here."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._first = self._done = self._steps = 0

    def add(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._started, self._first = time.monotonic(), event.done
        elif isinstance(event, StepDone):
            self._done, self._steps = event.step, event.steps

    def left(self) -> str:
        done = self._done - self._first
        seconds = (time.monotonic() - self._started) / max(done, 1) * (self._steps - self._done)
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f", {hours}:{minutes:02}:{rest:02} left in this stage"


def _line(event: Event) -> str:
    match event:
        case Note():
            return event.text
        case Packing():
            return f"crops of {event.part}: {event.done} of {event.total}"
        case StageStarted():
            ranks = f" in {event.ranks} processes" if event.ranks > 1 else ""
            after = f", going on after step {event.done} of {event.steps}" if event.done else ""
            return (
                f"stage {event.stage}: {event.epochs} epochs of {event.pictures} pictures in batches of "
                f"{event.batch_size} on {event.device}{ranks}{after}"
            )
        case StepDone():
            return (
                f"stage {event.stage}, epoch {event.epoch}, step {event.step} of {event.steps}: "
                f"loss {event.loss:.4f}, {event.pictures_per_second:.0f} pictures per second"
            )
        case EpochDone():
            figures = [f"training loss {event.train_loss:.4f}"]
            for name, value in (
                ("loss", event.val_loss),
                ("mean AUC", event.mean_auc),
                ("mean F1", event.mean_f1),
            ):
                if value is not None:
                    figures.append(f"{name} {value:.4f}")
            return f"stage {event.stage}, epoch {event.epoch}: {', '.join(figures)} ({event.seconds:.0f} s)"
