"""`aucli annotate`: its options, then one call of `aucli.inference.annotate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from aucli.cli.options import one_of_option, output_option, value_option
from aucli.config import ClipMode, DetectorName, Precision, load_settings, override, read_settings
from aucli.errors import UsageError

if TYPE_CHECKING:  # the rooms are loaded when the command runs
    from aucli.sinks.draw.palette import ThemeName

_DRAWING, _FILE, _MODEL, _RUN = "What is drawn", "The video written", "The analysis", "The run"
_ANALYSIS = ("model", "device", "precision", "detector", "detect_every", "min_face", "max_faces", "clips")


def annotate(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Videos, folders, globs, list.txt or list.csv."),
    ] = None,
    *,
    output: Annotated[
        str | None,
        output_option(
            "Video to write (.mp4, .mov, .mkv), or a folder. Default: clip.annotated.mp4 beside it.",
            panel=_FILE,
        ),
    ] = None,
    rows_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="OUT.PARQUET",
            help="Draw these rows, which extract wrote, instead of analysing again.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    top: Annotated[int, value_option(_DRAWING, "N", "AUs in the panel beside a face.")] = 5,
    landmarks: Annotated[
        bool, typer.Option("--landmarks", help="The five landmarks.", rich_help_panel=_DRAWING)
    ] = False,
    regions: Annotated[
        bool,
        typer.Option("--regions/--no-regions", help="Tint the face where AUs are.", rich_help_panel=_DRAWING),
    ] = True,
    timeline: Annotated[
        bool,
        typer.Option(
            "--timeline/--no-timeline",
            help="The last 10 seconds under the picture.",
            rich_help_panel=_DRAWING,
        ),
    ] = True,
    graph: Annotated[
        bool,
        typer.Option(
            "--graph",
            help="At the right: which AUs the model sees together in the largest face (ME-GraphAU, stage 2).",
            rich_help_panel=_DRAWING,
        ),
    ] = False,
    heatmaps: Annotated[
        bool,
        typer.Option(
            "--heatmaps",
            help="On the faces and at the right: where the model measures each AU (SCC).",
            rich_help_panel=_DRAWING,
        ),
    ] = False,
    theme: Annotated[str, value_option(_DRAWING, "dark|light", "Colours of panels and time line.")] = "dark",
    scale: Annotated[
        float, value_option(_FILE, "FACTOR", "Size of the picture: 2 is twice as wide and high, 0.5 half.")
    ] = 1.0,
    codec: Annotated[
        str,
        value_option(
            _FILE,
            "auto|NAME",
            "Encoder: libx264, libx265, libsvtav1, or h264_ or hevc_ with nvenc, videotoolbox, qsv or amf. "
            "auto: the first of the hardware's for H.264 that works here, else libx264.",
        ),
    ] = "auto",
    crf: Annotated[
        int | None,
        value_option(_FILE, "N", "Quality, 0 is best. Default: 20 for H.264, 22 for HEVC, 30 for libsvtav1."),
    ] = None,
    model: Annotated[
        str | None, value_option(_MODEL, "NAME|PATH", "A model's name or file. Default: builtin.")
    ] = None,
    detector: Annotated[
        str | None, one_of_option(_MODEL, DetectorName, "Face detector. Default: mtcnn.")
    ] = None,
    detect_every: Annotated[
        str | None,
        value_option(
            _MODEL, "N|auto", "Detect in every Nth frame and follow the faces between. Default: auto."
        ),
    ] = None,
    min_face: Annotated[
        str | None,
        value_option(_MODEL, "PIXELS", "Shorter side of the smallest face looked for. Default: 40."),
    ] = None,
    max_faces: Annotated[
        str | None, value_option(_MODEL, "N", "At most N faces in a frame. Default: all.")
    ] = None,
    device: Annotated[
        str | None, value_option(_MODEL, "auto|cpu|cuda[:0,1]", "Where to compute. Default: auto.")
    ] = None,
    precision: Annotated[
        str | None, one_of_option(_MODEL, Precision, "Arithmetic of the network. Default: auto.")
    ] = None,
    clips: Annotated[
        str | None,
        one_of_option(
            _MODEL,
            ClipMode,
            "For models that read motion: a track as one clip, or the authors' length. Default: track.",
        ),
    ] = None,
    jobs: Annotated[
        str | None,
        value_option(
            _RUN, "auto|N", "Processes on the CPU, or on each GPU. Default: auto, one for each core or GPU."
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Draw again also what is finished.", rich_help_panel=_RUN),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the report as JSON instead of a table.", rich_help_panel=_RUN),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", help="No progress, no table; only what went wrong.", rich_help_panel=_RUN),
    ] = False,
) -> None:
    """Videos with boxes, action units and a time line drawn on them; sound and times stay as they are.

    Under the picture: the course of the most active AUs. Beside each face: number, name and probability, bold
    where the AU occurs; the mark on a bar is the model's threshold. Each frame is there once, at its time.
    The same command again draws only what is not finished or has changed.
    """
    named = {name: context.params[name] for name in (*_ANALYSIS, "jobs")}
    given = read_settings(named, lambda name, value: f"--{name.replace('_', '-')} {value}")
    if not inputs:
        raise UsageError("no input: name videos, folders or a list, for instance: aucli annotate talk.mp4")
    without_use = [name for name in _ANALYSIS if name in given]
    if rows_from is not None and without_use:
        option = without_use[0].replace("_", "-")
        raise UsageError(f"--from draws rows that are there: leave --{option} out, or --from")
    settings = override(load_settings(None, os.environ), given)
    from aucli.cli.annotate_run import run_and_show  # these import torch and rich
    from aucli.inference.configure import configure
    from aucli.media.codecs import Encoding
    from aucli.sinks.draw.look import Look

    # Names that annotate has no option for keep their defaults: every frame is drawn.
    analysis = {name: value for name, value in settings.items() if name in (*_ANALYSIS, "jobs")}
    raise typer.Exit(
        run_and_show(
            inputs,
            output,
            configure(analysis),
            rows_from=rows_from,
            look=Look(
                theme=cast("ThemeName", theme),  # Look refuses any other
                scale=scale,
                top=top,
                landmarks=landmarks,
                regions=regions,
                timeline=timeline,
                graph=graph,
                heatmaps=heatmaps,
            ),
            encoding=Encoding(codec, crf),
            fresh=fresh,
            command_line=("aucli", *context.obj),
            as_json=as_json or settings.get("json", False),
            quiet=quiet or settings.get("quiet", False),
        )
    )
