"""`aucli prepare`: its options, then one call of `aucli.inference.prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aucli.cli.options import one_of_option
from aucli.config import DecoderName, DetectorName


def prepare(
    context: typer.Context,
    raw: Annotated[
        Path,
        typer.Argument(metavar="RAW", help="The dataset's folder as its owners ship it; a table's file."),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the crops and labels.parquet.")],
    *,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="bp4d|disfa|ck+|table",
            help="Whose labels: BP4D, DISFA, CK+, or a CSV or Parquet file of your own.",
            autocompletion=lambda: ["bp4d", "disfa", "ck+", "table"],
        ),
    ],
    picture_format: Annotated[
        str, typer.Option("--format", metavar="jpg|png", help="Crops as JPEG of quality 95, or as PNG.")
    ] = "jpg",
    detector: Annotated[str, one_of_option(None, DetectorName, "Face detector.")] = "mtcnn",
    detect_every: Annotated[
        str,
        typer.Option(
            metavar="N|auto", help="Detect in every Nth frame and follow between; auto: about one in 0.12 s."
        ),
    ] = "auto",
    min_face: Annotated[
        int, typer.Option(metavar="PIXELS", help="Shorter side of the smallest face looked for.")
    ] = 40,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda[:0,1]", help="Where to compute.")] = "auto",
    decoder: Annotated[str, one_of_option(None, DecoderName, "Video decoder; auto is pyav.")] = "auto",
    jobs: Annotated[
        str, typer.Option(metavar="auto|N", help="Processes on the CPU, or on each GPU.")
    ] = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew; do not go on from an earlier run.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON instead of a table.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, no table; only what went wrong.")
    ] = False,
) -> None:
    """Aligned 256-pixel crops and one label table from a dataset's videos or frames.

    The crop: five points of the face are brought to fixed places by a similarity transform; the middle 224
    pixels show what the built-in model sees. The table has a row for each coded frame, also where no face was
    found, with the transform. The same command goes on where it stopped.
    """
    from aucli.cli.prepare_run import run_and_show  # imports torch and rich
    from aucli.config import read_settings

    given = {
        "detector": detector,
        "detect_every": detect_every,
        "min_face": min_face,
        "device": device,
        "decoder": decoder,
        "jobs": jobs,
    }
    settings = read_settings(given, lambda name, value: f"--{name.replace('_', '-')} {value}")
    raise typer.Exit(
        run_and_show(
            dataset,
            raw,
            output,
            settings,
            picture_format=picture_format,
            fresh=fresh,
            command_line=("aucli", *context.obj),
            as_json=as_json,
            quiet=quiet,
        )
    )
