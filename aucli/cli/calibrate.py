"""`aucli calibrate`: its options, then one call of `aucli.evaluation.calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aucli.cli.evaluate import PARTIAL, Part


def calibrate(
    *,
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="bp4d, disfa, hybrid, me-lists, synthfaces, or table.")
    ],
    root: Annotated[Path, typer.Option(metavar="FOLDER", help="Where it lies; for table: its file.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="For the new card and a copy of the weights."),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="Model; default: that of extract.", show_default=False),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(min=1, help="Fold, where the protocol has them.", show_default=False),
    ] = None,
    part: Annotated[Part, typer.Option(help="Part to fit to; only val is taken.")] = Part.VAL,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the new card; default: NAME_calibrated.", show_default=False),
    ] = None,
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Fit to people that the model was trained on; noted.")
    ] = False,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda[:0]", help="Where to compute.")] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Faces per call of the network.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Fit each AU's threshold and probability to validation subjects, as a new card for extract --model.

    The weights stay as they are. An AU with fewer than 10 positive or negative faces keeps what it had.
    Never fits to test subjects.
    """
    from rich.console import Console

    from aucli.cli.models.shared import print_json
    from aucli.cli.score_tables import show_calibrated, show_progress
    from aucli.cli.summary import stdout_console
    from aucli.evaluation.calibrate import Request
    from aucli.evaluation.calibrate import calibrate as run
    from aucli.zoo.default import default_model

    with show_progress(Console(stderr=True)) as progress:
        result = run(
            Request(
                dataset=dataset,
                root=root,
                model=model or default_model(),
                output=output,
                fold=fold,
                part=part.value,
                name=name,
                allow_leak=allow_leak,
                device=device,
                batch_size=batch_size,
                on_progress=progress(fold),
            )
        )
    if as_json:
        print_json(result.to_json())
    else:
        show_calibrated(result, stdout_console())
    if result.unreadable:
        raise typer.Exit(PARTIAL)
