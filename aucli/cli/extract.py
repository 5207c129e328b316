"""`aucli extract`: its options, then one call of `aucli.inference.extract`.

Every option is taken as text and read by the table in `aucli.config` that also reads the settings file
and the variables, so the three accept and refuse the same things in the same words.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from aucli.cli.options import one_of_option, output_option, value_option
from aucli.config import (
    SETTINGS,
    ClipMode,
    DecoderName,
    DetectorName,
    Precision,
    PrimaryRule,
    load_settings,
    override,
    read_settings,
)
from aucli.errors import UsageError

_EXAMPLE = "for instance: aucli extract videos/ -o out.parquet"
_FRAMES, _FACES, _MODEL, _RUN = "Which frames", "Which faces", "Model and speed", "The run"


def _switch(name: str, text: str) -> Any:
    # With its opposite, so that the command line can overrule a file or a variable.
    return typer.Option(f"--{name}/--no-{name}", help=text, show_default=False, rich_help_panel=_RUN)


def extract(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Videos, pictures, folders (searched through), globs, folders of numbered pictures, "
            "list.txt or list.csv (columns path, subject, start, end). Also by address: s3://bucket/videos.",
        ),
    ] = None,
    *,
    output: Annotated[
        str | None,
        output_option(
            "Parquet file to write; a folder gets one file per video. Also s3://bucket/out.parquet.",
            panel=_RUN,
        ),
    ] = None,
    every: Annotated[str | None, value_option(_FRAMES, "N", "Every Nth frame.", default="1")] = None,
    fps: Annotated[
        str | None, value_option(_FRAMES, "F", "At most F frames a second (instead of --every).")
    ] = None,
    start: Annotated[
        str | None, value_option(_FRAMES, "TIME", "From here: 90.5, 1:30.5 or 0:01:30.5.")
    ] = None,
    end: Annotated[str | None, value_option(_FRAMES, "TIME", "Up to here, not included.")] = None,
    detector: Annotated[
        str | None, one_of_option(_FACES, DetectorName, "Face detector.", default="mtcnn")
    ] = None,
    detect_every: Annotated[
        str | None,
        value_option(
            _FACES,
            "N|auto",
            "Detect in every Nth frame and follow the faces between; auto: about one in 0.12 s.",
            default="auto",
        ),
    ] = None,
    min_face: Annotated[
        str | None,
        value_option(_FACES, "PIXELS", "Shorter side of the smallest face looked for.", default="40"),
    ] = None,
    max_faces: Annotated[
        str | None, value_option(_FACES, "N", "At most N faces in a frame.", default="all")
    ] = None,
    primary: Annotated[
        str | None, one_of_option(_FACES, PrimaryRule, "One person per video, chosen by this rule.")
    ] = None,
    model: Annotated[
        str | None,
        value_option(_MODEL, "NAME|PATH", "A model's name or file, see aucli models.", default="builtin"),
    ] = None,
    device: Annotated[
        str | None, value_option(_MODEL, "auto|cpu|cuda[:0,1]", "Where to compute.", default="auto")
    ] = None,
    decoder: Annotated[
        str | None, one_of_option(_MODEL, DecoderName, "Video decoder; auto uses the GPU's.", default="auto")
    ] = None,
    precision: Annotated[
        str | None, one_of_option(_MODEL, Precision, "Arithmetic of the network.", default="auto")
    ] = None,
    clips: Annotated[
        str | None,
        one_of_option(
            _MODEL,
            ClipMode,
            "For models that read motion: a whole track is one clip, or clips of the authors' length.",
            default="track",
        ),
    ] = None,
    batch_size: Annotated[
        str | None, value_option(_MODEL, "auto|N", "Faces per call of the network.", default="auto")
    ] = None,
    jobs: Annotated[
        str | None, value_option(_MODEL, "auto|N", "Processes on the CPU, or on each GPU.", default="auto")
    ] = None,
    in_flight: Annotated[
        str | None,
        value_option(
            _MODEL,
            "auto|N",
            "Videos at a time in each process, whose faces share batches; auto: 1 on the CPU, "
            "on a GPU one more than it has decoding engines.",
            default="auto",
        ),
    ] = None,
    segment: Annotated[
        str | None,
        value_option(
            _RUN,
            "MINUTES",
            "Split longer videos over this machine's processes or GPUs; the rows are the same.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        value_option(
            _RUN,
            "TRACE.JSON",
            "Time the stages: a table at the end, and a trace for https://ui.perfetto.dev.",
        ),
    ] = None,
    shard: Annotated[
        str | None, value_option(_RUN, "I/N", "Part I of N, for N machines; aucli merge joins their outputs.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="local|dask",
            help="This machine, or the workers of a Dask cluster. Default: local.",
            rich_help_panel=_RUN,
            autocompletion=lambda: ["local", "dask"],
        ),
    ] = None,
    scheduler: Annotated[
        str | None, value_option(_RUN, "ADDRESS", "The Dask cluster's scheduler. Default: one made here.")
    ] = None,
    stall_seconds: Annotated[
        str | None,
        value_option(_RUN, "N", "Give a video up after N seconds without progress; 0: never.", default="300"),
    ] = None,
    worker_memory: Annotated[
        str | None,
        value_option(
            _RUN,
            "auto|GB",
            "Give a video up when its process takes more memory; auto: three quarters of what there is.",
            default="auto",
        ),
    ] = None,
    fresh: Annotated[bool | None, _switch("fresh", "Start anew; do not go on from an earlier run.")] = None,
    fail_fast: Annotated[bool | None, _switch("fail-fast", "Stop at the first input that fails.")] = None,
    dry_run: Annotated[bool | None, _switch("dry-run", "Show what would be done; write nothing.")] = None,
    json: Annotated[bool | None, _switch("json", "Print the report as JSON instead of a table.")] = None,
    quiet: Annotated[bool | None, _switch("quiet", "No progress, no table; only what went wrong.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN.TOML",
            envvar="AUCLI_CONFIG",
            show_envvar=False,
            help="Settings from a file: these options' names, one per line.",
            rich_help_panel=_RUN,
        ),
    ] = None,
) -> None:
    """Action units of every face in every frame, as one Parquet file.

    An option can also be a variable or a line in the --config file:
    --every 5, AUCLI_EVERY=5, every = 5. The first of these wins.
    """
    given = {name: value for name, value in context.params.items() if name in SETTINGS}
    settings = override(
        load_settings(config, os.environ),
        read_settings(given, lambda name, value: f"--{name.replace('_', '-')} {value}"),
    )
    if not inputs:
        raise UsageError(f"no input: name videos, folders, globs or a list, {_EXAMPLE}")
    if "output" not in settings:
        raise UsageError(f"no output: say with -o which Parquet file to write, {_EXAMPLE}")
    from aucli.inference.configure import configure  # not needed for help

    options = configure(settings)
    shows_json, is_quiet = settings.get("json", False), settings.get("quiet", False)
    if settings.get("dry_run", False):
        from aucli.cli.plan import show_plan  # these three import torch and rich

        show_plan(
            inputs,
            settings["output"],
            options,
            shard=settings.get("shard"),
            engine=settings.get("engine", "local"),
            scheduler=settings.get("scheduler"),
            as_json=shows_json,
        )
        return

    from aucli.cli.run import run_and_show

    raise typer.Exit(
        run_and_show(
            inputs,
            settings["output"],
            options,
            fresh=settings.get("fresh", False),
            fail_fast=settings.get("fail_fast", False),
            shard=settings.get("shard"),
            engine=settings.get("engine", "local"),
            scheduler=settings.get("scheduler"),
            command_line=("aucli", *context.obj),
            as_json=shows_json,
            quiet=is_quiet,
        )
    )
