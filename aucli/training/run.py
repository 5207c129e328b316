"""A whole training run: data, one or two stages, and the models that come out of them."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from aucli.errors import OutputError, UsageError
from aucli.evaluation.compare import Difference, compare
from aucli.inference.devices import resolve_device, resolve_precision
from aucli.sinks.atomic import cannot_write
from aucli.sinks.lock import lock_folder
from aucli.training.distributed import Ranks, joined
from aucli.training.engine import Arithmetic, Engine
from aucli.training.events import Event, Hook, Note
from aucli.training.initial import start_from
from aucli.training.job import Job, make_job
from aucli.training.options import TrainConfig
from aucli.training.order import steps_of
from aucli.training.recipe import StageRecipe
from aucli.training.record import describe, write_record
from aucli.training.stage_run import StageResult, StageRun
from aucli.training.stages import Transfer, start_graph_from_stage1, transfer_stage1
from aucli.training.tensorboard import TensorBoard
from aucli.training.write_model import Written, write_model
from aucli.zoo.card import Card
from aucli_models.registry import create_model

__all__ = ["TrainConfig", "TrainResult", "train"]

_OF_A_RUN = ("stage*.checkpoint", "crops.*", "run.json", "tensorboard")


@dataclass(frozen=True, eq=False)
class TrainResult:
    """How the stages went, and the models that were written (by the first rank), in the order of the stages.

    paths: of the cards' files. difference: stage 2 minus stage 1 on the people that figures are taken on,
    None on other ranks than the first, without such people, and for a single stage.
    """

    stages: tuple[StageResult, ...]
    cards: tuple[Card, ...]
    paths: tuple[Path, ...]
    difference: Difference | None = None


def train(config: TrainConfig, on_event: Hook = lambda event: None) -> TrainResult:
    """Train, go on with a run that was stopped, or report one that is finished.

    The folder `config.out` gets checkpoints, packed crops, logs, `run.json`, and for each stage a card and
    weights. Under torchrun each process calls this with the same configuration; the first one writes and
    tells events.

    Raises:
        UsageError: options that cannot be, or do not fit the data or the run that is in the folder.
        InputNotFoundError, CheckpointError, UnknownModelError, DownloadError: see `open_dataset`,
            `initial.read_start` and `start_from`.
        TrainingError: a loss or gradient is not finite.
        OutputError: something cannot be written, or another run works in the folder.
    """
    ranks = Ranks.of_environment()
    recipes = {stage: config.recipe_of(stage) for stage in config.stages}
    config.input_size()
    for stage, recipe in recipes.items():
        _check_batches(recipe, stage, ranks, config.accumulate)
    device = _device(resolve_device(config.device)[0], ranks)
    arithmetic = Arithmetic(device, resolve_precision(config.precision, device.type), config.compiled)
    with ExitStack() as stack:
        if ranks.first:
            stack.enter_context(closing(lock_folder(_made(config.out), config.out)))
            if config.fresh:
                _clear(config.out)
        if device.type == "cuda":
            torch.cuda.set_device(device)
            torch.backends.cudnn.benchmark = True
        stack.enter_context(joined(ranks, device))
        hook: Hook = _silence
        if ranks.first:
            board = stack.enter_context(TensorBoard(config.out / "tensorboard"))
            if board.missing:
                on_event(Note("no TensorBoard logs: pip install tensorboard for them"))
            hook = _both(on_event, board)
        return _run(make_job(config, recipes, ranks=ranks, arithmetic=arithmetic, on_event=hook))


def _run(job: Job) -> TrainResult:
    settings = {str(stage): job.settings(stage) for stage in job.recipes}
    record = describe(job.config, job.parts, settings)
    if job.ranks.first:
        write_record(job.config.out, record)
    results: list[StageResult] = []
    written: list[Written] = []
    cards: list[Card] = []
    difference = None
    for stage in job.recipes:
        result = _stage_run(job, stage, results[-1].network if results else None).run()
        results.append(result)
        written.append(write_model(job, result))
        card = written[-1].card
        if card is not None:
            cards.append(card)
            record["results"][str(stage)] = {
                "kept_epoch": result.epoch,
                "epochs": list(result.history),
                "model": f"{card.name}.json",
            }
            difference = _stage2_against_stage1(job, written)
            if difference is not None:
                record["stage2_minus_stage1"] = difference.to_json()
            record["state"] = "finished" if len(results) == len(job.recipes) else "running"
            write_record(job.config.out, record)
    paths = tuple(job.config.out / f"{card.name}.json" for card in cards)
    return TrainResult(tuple(results), tuple(cards), paths, difference)


def _stage2_against_stage1(job: Job, written: list[Written]) -> Difference | None:
    if len(written) < 2 or job.watch is None or job.parts.watch is None:
        return None
    first, second = (one.scores for one in written)
    assert first is not None
    assert second is not None
    subjects = [job.parts.watch.subjects[row] for row in job.watch.rows]
    return compare(first, second, job.watch.labels, subjects, job.parts.watch.au_names)


def _stage_run(job: Job, stage: int, before: nn.Module | None) -> StageRun:
    recipe, config = job.recipes[stage], job.config
    views = job.views(recipe)
    engine = Engine(
        _network(job, stage, before),
        recipe,
        job.au_weights,
        views,
        steps=recipe.epochs * steps_of(job.train.items, recipe.batch_size),
        seed=config.seed * 2 + stage,  # stages draw different numbers
        names=job.train.names,
        landmarks=job.train.landmarks is not None,
        clip_frames=None if job.train.clips is None else job.train.clips.frames,
        ranks=job.ranks,
        arithmetic=job.arithmetic,
    )
    return StageRun(
        stage=stage,
        engine=engine,
        train=job.train,
        watch=job.watch,
        views=views,
        au_names=job.parts.train.au_names,
        au_weights=job.au_weights,
        device=job.arithmetic.device,
        ranks=job.ranks,
        accumulate=config.accumulate,
        select_best=recipe.select == "best-val",
        checkpoint=job.checkpoint(stage),
        settings=job.settings(stage),
        save_every_seconds=config.save_every_seconds,
        on_event=job.on_event,
    )


def _network(job: Job, stage: int, before: nn.Module | None) -> nn.Module:
    """The network as the stage begins with it, the same on every rank. before: of stage 1, in this run."""
    torch.manual_seed(job.config.seed + stage)
    network = create_model(job.spec(stage))
    if job.checkpoint(stage).exists():
        return network  # everything comes from there
    if before is not None:
        transfer = transfer_stage1(before, network)
    else:
        transfer = start_from(job.start, network, job.spec(stage))
    stage1 = before if before is not None else job.start.stage1(job.spec(stage))
    if stage == 2 and job.recipes[stage].warm_graph and stage1 is not None:
        start_graph_from_stage1(stage1, network)
    origin = "stage 1" if before is not None else job.start.name
    job.on_event(Note(f"stage {stage} starts from {origin}: {_in_words(transfer)}"))
    return network


def _check_batches(recipe: StageRecipe, stage: int, ranks: Ranks, accumulate: int) -> None:
    if accumulate < 1:
        raise UsageError(f"--accumulate {accumulate}: must be 1 or more")
    # `positions_of` deals no batch that is smaller than half; batch norms want two pictures.
    if recipe.batch_size < 2 * ranks.count * accumulate:
        raise UsageError(
            f"--batch-size {recipe.batch_size} of stage {stage} is too small for {ranks.count} processes "
            f"with --accumulate {accumulate}: give at least {2 * ranks.count * accumulate}"
        )


def _device(name: str, ranks: Ranks) -> torch.device:
    return torch.device(name if ranks.count == 1 or name == "cpu" else f"cuda:{ranks.local}")


def _in_words(transfer: Transfer) -> str:
    if not transfer.fresh:
        return f"all {len(transfer.filled)} entries are filled"
    if not transfer.filled:
        return "random weights"
    fresh = ", ".join(sorted({key.split(".")[0] for key in transfer.fresh}))
    unused = f", {len(transfer.unused)} of its entries are not used" if transfer.unused else ""
    return (
        f"{len(transfer.filled)} entries are filled, {len(transfer.fresh)} begin at random ({fresh}){unused}"
    )


def _made(out: Path) -> Path:
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file; give a folder for the run")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    return out


def _clear(out: Path) -> None:
    """Remove what an earlier run left for its continuation; its models stay until they are replaced."""
    try:
        for pattern in _OF_A_RUN:
            for path in out.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise OutputError(f"{out}: an earlier run there cannot be removed ({error})") from error


def _both(first: Hook, second: Hook) -> Hook:
    def hook(event: Event) -> None:
        first(event)
        second(event)

    return hook


def _silence(event: Event) -> None:
    return
