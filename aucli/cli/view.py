"""`aucli view`: its options, then one call of `aucli.viewer`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, get_args

import typer

from aucli.cli.leave import leave_at_once
from aucli.cli.options import value_option
from aucli.config import DetectorName, Precision, load_settings, override, read_settings
from aucli.errors import UsageError

_LIVE, _SERVER = "Live", "The page"
_ANALYSIS = ("model", "device", "precision", "detector", "min_face", "max_faces")


def view(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT.PARQUET", help="What extract wrote: a Parquet file, or a folder of them."
        ),
    ] = None,
    *,
    videos: Annotated[
        list[Path] | None,
        value_option(
            _SERVER, "FOLDER", "Where the videos lie now, if they were moved. May be given several times."
        ),
    ] = None,
    browser: Annotated[
        bool,
        typer.Option(
            "--browser/--no-browser",
            help="Open the page in the browser.",
            rich_help_panel=_SERVER,
            show_default=False,
        ),
    ] = True,
    port: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Default: any free one. At the same port the browser finds names and marks of last time.",
            rich_help_panel=_SERVER,
            show_default=False,
        ),
    ] = 0,
    camera: Annotated[
        str | None, value_option(_LIVE, "N|DEVICE", "Show this camera live: 0 is the first one.")
    ] = None,
    live: Annotated[
        Path | None, value_option(_LIVE, "VIDEO", "Play a video at its own speed, as if it were a camera.")
    ] = None,
    model: Annotated[
        str | None, value_option(_LIVE, "NAME|PATH", "A model's name or file. Default: builtin.")
    ] = None,
    detector: Annotated[
        str | None, value_option(_LIVE, "|".join(get_args(DetectorName)), "Face detector. Default: mtcnn.")
    ] = None,
    min_face: Annotated[
        str | None,
        value_option(_LIVE, "PIXELS", "Shorter side of the smallest face looked for. Default: 40."),
    ] = None,
    max_faces: Annotated[
        str | None, value_option(_LIVE, "N", "At most N faces in a frame. Default: all.")
    ] = None,
    device: Annotated[
        str | None, value_option(_LIVE, "auto|cpu|cuda[:0]", "Where to compute. Default: auto.")
    ] = None,
    precision: Annotated[
        str | None,
        value_option(_LIVE, "|".join(get_args(Precision)), "Arithmetic of the network. Default: auto."),
    ] = None,
) -> None:
    """A page on this machine: the videos with their faces, and the course of every action unit.

    The page needs no internet, and nobody else can open it: it is served on 127.0.0.1 under a secret address.
    Ctrl+C ends it.

    With --camera or --live it shows what happens now; frames that cannot be analysed in time are dropped.
    """
    given = read_settings(
        {name: context.params[name] for name in _ANALYSIS},
        lambda name, value: f"--{name.replace('_', '-')} {value}",
    )
    if sum(each is not None for each in (output, camera, live)) != 1:
        raise UsageError(
            "give one thing to look at: aucli view out.parquet, aucli view --camera 0 "
            "or aucli view --live talk.mp4"
        )
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: 0 to 65535; leave it out to take a free one")
    if output is not None:
        if given:
            option = next(iter(given)).replace("_", "-")
            raise UsageError(f"--{option} is for --camera and --live: the rows of {output} are there already")
        from aucli.viewer.recorded import RecordedPages
        from aucli.viewer.run import ViewedRun
        from aucli.viewer.serve import serve

        run = ViewedRun.open(output, videos or ())
        serve(RecordedPages(run), begin=run.read_ahead, port=port, open_browser=browser)
        leave_at_once(0)  # the answer to a last request may still be computed
    if videos:
        raise UsageError("--videos is for OUT.PARQUET: leave it out")
    settings = override(load_settings(None, os.environ), given)
    from aucli.inference.configure import configure
    from aucli.viewer.serve_live import serve_live

    config = configure({name: value for name, value in settings.items() if name in _ANALYSIS})
    serve_live(config, camera=camera, file=live, port=port, open_browser=browser)
    leave_at_once(0)
