"""`aucli train`: its options, then one call of `aucli.training.run.train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aucli.cli.options import value_option
from aucli.errors import UsageError

_DATA, _NETWORK, _RECIPE, _SPEED, _RUN = "Data", "Network", "Recipe", "Speed", "The run"
_SYSTEMS = ("me_graphau", "open_graphau", "mdhr", "scc")


def train(
    *,
    dataset: Annotated[
        str, value_option(_DATA, "NAME", "bp4d, disfa, hybrid, me-lists, synthfaces, or table for your own.")
    ],
    root: Annotated[Path, value_option(_DATA, "FOLDER", "Where the dataset lies.")],
    out: Annotated[Path, value_option(_RUN, "FOLDER", "Checkpoints, logs and models; the same goes on.")],
    fold: Annotated[
        int | None, value_option(_DATA, "1|2|3", "Train on what this fold does not test.")
    ] = None,
    au_set: Annotated[
        str | None,
        value_option(_DATA, "NAME", "bp4d, disfa, hybrid, synth or synth_sided. Default: the dataset's own."),
    ] = None,
    hold_out: Annotated[
        bool,
        value_option(
            _DATA,
            "",
            "Keep a sixth of the people back to validate on, where the protocol trains on them.",
            "--hold-out",
        ),
    ] = False,
    system: Annotated[
        str | None,
        value_option(_NETWORK, "|".join(_SYSTEMS), "On a ResNet-50: short for --arch SYSTEM_resnet50."),
    ] = None,
    arch: Annotated[
        str | None,
        value_option(
            _NETWORK,
            "SYSTEM_BACKBONE",
            "For instance me_graphau_swin_base, open_graphau_resnet50, mdhr_resnet50. "
            "Default: me_graphau_resnet50.",
        ),
    ] = None,
    intensity: Annotated[
        bool,
        value_option(
            _NETWORK,
            "",
            "Give intensities (0 to 5) too; for datasets that have them.",
            "--intensity",
        ),
    ] = False,
    stage: Annotated[
        str,
        value_option(_NETWORK, "1|2|both", "Stage 2 alone begins with --init, or with the stage 1 in --out."),
    ] = "both",
    init: Annotated[
        str | None,
        value_option(
            _NETWORK,
            "imagenet|scratch|MODEL",
            "What to start from; MODEL: a name, a card, .safetensors, or the authors' .pth. "
            "Default: imagenet, where timm has it.",
        ),
    ] = None,
    size: Annotated[
        int | None, value_option(_NETWORK, "PIXELS", "Side of the crop, for ResNets. Default: 224.")
    ] = None,
    crop: Annotated[
        str | None,
        value_option(
            _NETWORK,
            "SCALE,SHIFT",
            "How pictures with landmarks are cut, for instance 0.9,-0.1: larger is nearer; how far down. "
            "Default: as the model started from.",
        ),
    ] = None,
    recipe: Annotated[
        str,
        value_option(
            _RECIPE,
            "published|synth",
            "published: the values of the authors' code, also where the papers' text has others; "
            "synth: from random weights, as for the built-in model.",
        ),
    ] = "published",
    epochs: Annotated[
        str | None, value_option(_RECIPE, "N[,N]", "One number for each stage. Default: the recipe's.")
    ] = None,
    batch_size: Annotated[
        int | None,
        value_option(
            _RECIPE, "N", "Pictures (MDHR: clips) of an optimiser step, over all GPUs. Default: the recipe's."
        ),
    ] = None,
    lr: Annotated[
        str | None, value_option(_RECIPE, "RATE[,RATE]", "One number for each stage. Default: the recipe's.")
    ] = None,
    select: Annotated[
        str | None,
        value_option(_RECIPE, "last|best-val", "Epoch to keep: the last, or the one with the best mean F1."),
    ] = None,
    select_on: Annotated[
        str, value_option(_RECIPE, "val|test", "Whose figures; the published ones were selected on test.")
    ] = "val",
    seed: Annotated[int, value_option(_RECIPE, "N", "Of all random numbers.")] = 0,
    device: Annotated[
        str, value_option(_SPEED, "auto|cpu|cuda[:0]", "Where to compute; several GPUs: start with torchrun.")
    ] = "auto",
    precision: Annotated[
        str, value_option(_SPEED, "auto|fp32|bf16|fp16", "Arithmetic. auto: bf16 on a GPU, fp32 on a CPU.")
    ] = "auto",
    accumulate: Annotated[
        int, value_option(_SPEED, "N", "Compute a batch in N parts, one after another, to need less memory.")
    ] = 1,
    compile_: Annotated[
        bool, value_option(_SPEED, "", "Let torch compile the network.", "--compile")
    ] = False,
    weights: Annotated[
        str, value_option(_RUN, "fp32|fp16", "Type of the weights in the model's file.")
    ] = "fp32",
    name: Annotated[
        str | None, value_option(_RUN, "NAME", "Of the model. Default: from network, AU set, fold and stage.")
    ] = None,
    save_every: Annotated[
        float, value_option(_RUN, "SECONDS", "Between checkpoints; there is one after each epoch too.")
    ] = 600.0,
    fresh: Annotated[
        bool, value_option(_RUN, "", "Start anew; do not go on with the run in --out.", "--fresh")
    ] = False,
    quiet: Annotated[bool, value_option(_RUN, "", "No progress; only what went wrong.", "--quiet")] = False,
) -> None:
    """Train a network for AUs: ME-GraphAU or OpenGraphAU in their two stages, MDHR or SCC in one.

    The same command goes on where it was stopped. On several GPUs or machines start it with torchrun:
    torchrun --nproc-per-node 4 -m aucli.cli.main train ...
    """
    options: dict[str, Any] = {
        "fold": fold,
        "arch": _arch(system, arch),
        "stage": _one_of("--stage", stage, "1", "2", "both"),
        "au_set": au_set,
        "intensity": intensity,
        "recipe": _one_of("--recipe", recipe, "published", "synth"),
        "epochs": _numbers("--epochs", epochs, int),
        "batch_size": batch_size,
        "rate": _numbers("--lr", lr, float),
        "init": init,
        "size": size,
        "crop": _numbers("--crop", crop, float),
        "select": None if select is None else _one_of("--select", select, "last", "best-val"),
        "select_on": _one_of("--select-on", select_on, "val", "test"),
        "hold_out": hold_out,
        "accumulate": accumulate,
        "device": device,
        "precision": _one_of("--precision", precision, "auto", "fp32", "bf16", "fp16"),
        "compiled": compile_,
        "seed": seed,
        "weights": _one_of("--weights", weights, "fp32", "fp16"),
        "name": name,
        "fresh": fresh,
        "save_every_seconds": save_every,
    }
    from aucli.cli.train_run import train_and_show  # imports torch and rich

    raise typer.Exit(train_and_show(dataset, root, out, options, quiet=quiet))


def _arch(system: str | None, arch: str | None) -> str:
    if system is None:
        return arch or "me_graphau_resnet50"
    _one_of("--system", system, *_SYSTEMS)
    if arch is not None and not arch.startswith(f"{system}_"):
        raise UsageError(f"--system {system} and --arch {arch} are two systems: leave one of both out")
    return arch or f"{system}_resnet50"


def _one_of(option: str, given: str, *choices: str) -> str:
    if given not in choices:
        raise UsageError(f"{option} {given}: choose one of {', '.join(choices)}")
    return given


def _numbers(option: str, given: str | None, kind: type[int] | type[float]) -> tuple[float, ...] | None:
    if given is None:
        return None
    try:
        return tuple(kind(word) for word in given.split(","))
    except ValueError:
        example = {"--epochs": "20 or 20,20", "--lr": "1e-4 or 1e-4,1e-6", "--crop": "0.9,-0.1"}[option]
        raise UsageError(f"{option} {given}: write for instance {option} {example}") from None
