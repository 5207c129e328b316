"""`aucli evaluate`: its options, then one call of `aucli.evaluation.run`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aucli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from aucli.evaluation.result import Evaluation

_WHAT, _MODEL, _EXTRACTION, _OUTPUT = "What is tested", "Model", "An extraction instead", "Output"
_EXAMPLE = "for instance: aucli evaluate --dataset disfa --root DISFA/ --fold 2 --model NAME"
PARTIAL = 3
"""Exit code where pictures could not be read and were left out."""


class Clips(StrEnum):
    """What a clip is."""

    TRACK = "track"
    OFFICIAL = "official"


class Part(StrEnum):
    """Of a dataset."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


def _option(panel: str, metavar: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel, show_default=False)


def evaluate(
    *,
    dataset: Annotated[
        str | None,
        _option(_WHAT, "NAME", "bp4d, disfa, hybrid, me-lists, synthfaces, or table for your own."),
    ] = None,
    root: Annotated[Path | None, _option(_WHAT, "FOLDER", "Where it lies; for table: its file.")] = None,
    fold: Annotated[str | None, _option(_WHAT, "N|all", "Fold, where the protocol has them.")] = None,
    part: Annotated[Part, typer.Option(help="Part of the dataset.", rich_help_panel=_WHAT)] = Part.TEST,
    au_set: Annotated[
        str | None, _option(_WHAT, "SET", "AUs to test (bp4d, disfa, ...); default: all that are labelled.")
    ] = None,
    model: Annotated[
        list[str] | None,
        _option(
            _MODEL,
            "NAME|PATH",
            "Model; with --fold all, {fold} stands for the number, and a published family for its folds.",
        ),
    ] = None,
    allow_leak: Annotated[
        bool,
        typer.Option(
            "--allow-leak", help="Test on people that the model has seen; marked.", rich_help_panel=_MODEL
        ),
    ] = False,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda[:0]", help="Where to compute.", rich_help_panel=_MODEL)
    ] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Faces per call of the network.", rich_help_panel=_MODEL)
    ] = None,
    clips: Annotated[
        Clips,
        typer.Option(
            help="For models that read motion: a recording as one clip, or the authors' clips of 16.",
            rich_help_panel=_MODEL,
        ),
    ] = Clips.TRACK,
    predictions: Annotated[
        Path | None, _option(_EXTRACTION, "OUT.PARQUET", "What extract has written, instead of --model.")
    ] = None,
    labels: Annotated[
        Path | None,
        _option(_EXTRACTION, "TABLE", "Its labels: .csv or .parquet with video, frame or time_s, AU1, ..."),
    ] = None,
    frame_offset: Annotated[
        int,
        typer.Option(
            help="Added to labelled frame numbers; -1 if they count from 1.", rich_help_panel=_EXTRACTION
        ),
    ] = 0,
    track: Annotated[
        int | None, _option(_EXTRACTION, "N", "This person; default: the one seen longest in each video.")
    ] = None,
    draws: Annotated[
        int, typer.Option(min=0, help="Draws of subjects for the intervals.", rich_help_panel=_OUTPUT)
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.", rich_help_panel=_OUTPUT)] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of tables.", rich_help_panel=_OUTPUT)
    ] = False,
    csv: Annotated[Path | None, _option(_OUTPUT, "FILE", "All figures as one table.")] = None,
    report: Annotated[
        Path | None, _option(_OUTPUT, "FOLDER|FILE.HTML", "Page with curves; a folder gets pictures too.")
    ] = None,
) -> None:
    """F1, AUC and more per AU on labelled faces, by the published protocols, with intervals by subject.

    Weights are tested only on people that they have not seen: a model's fold must be the fold tested.
    --predictions compares what extract has written with labels of the same videos.
    """
    from rich.console import Console

    from aucli.cli.summary import stdout_console

    _check_places(csv, report)
    errors = Console(stderr=True)
    options = {"draws": draws, "seed": seed, "allow_leak": allow_leak}
    if predictions is not None:
        _refuse(
            "--predictions has a model of its own: leave out",
            model=model,
            au_set=au_set,
            batch_size=batch_size,
            clips=clips.value if clips is not Clips.TRACK else None,
        )
        result = _compare(
            predictions,
            labels,
            dataset=dataset,
            root=root,
            fold=_fold(fold),
            part=part,
            track=track,
            frame_offset=frame_offset,
            **options,
        )
    else:
        _refuse(
            "without --predictions there is no use for",
            labels=labels,
            track=track,
            frame_offset=frame_offset or None,
        )
        if dataset is None or root is None:
            raise UsageError(f"say with --dataset and --root what to test on, {_EXAMPLE}")
        result = _evaluate(
            errors,
            dataset=dataset,
            root=root,
            fold=_fold(fold),
            part=part.value,
            au_set=au_set,
            models=model,
            device=device,
            batch_size=batch_size,
            clips=clips.value,
            **options,
        )
    _show(result, errors if as_json else stdout_console(), as_json=as_json, csv=csv, report=report)
    if any(one.unreadable for one in result.tested):
        raise typer.Exit(PARTIAL)


def _evaluate(errors: Console, *, models: list[str] | None, **request: Any) -> Evaluation:
    from aucli.cli.score_tables import show_progress
    from aucli.evaluation.run import Request
    from aucli.evaluation.run import evaluate as run
    from aucli.zoo.default import default_model

    with show_progress(errors) as progress:
        return run(Request(models=models or [default_model()], on_progress=progress, **request))


def _compare(
    predictions: Path,
    labels: Path | None,
    *,
    dataset: str | None,
    root: Path | None,
    fold: int | Literal["all"] | None,
    part: Part,
    frame_offset: int,
    **options: Any,
) -> Evaluation:
    from aucli.evaluation.frame_labels import labels_of_dataset, read_labels
    from aucli.evaluation.join import Extraction
    from aucli.evaluation.run import compare

    if labels is not None:
        _refuse("--labels names the labels already: leave out", dataset=dataset, root=root, fold=fold)
        found = read_labels(labels, frame_offset)
        return compare(Extraction(predictions), found, name=labels.name, **options)
    if dataset is None or root is None:
        raise UsageError(
            "--predictions wants labels: give --labels TABLE, or --dataset and --root of the same videos"
        )
    if fold == "all":
        raise UsageError("--fold all: an extraction is of one model; test it on one fold")
    from aucli.datasets.open import open_dataset

    faces = open_dataset(dataset, root, part.value, fold=fold)
    found = labels_of_dataset(faces, frame_offset)
    return compare(
        Extraction(predictions),
        found,
        labels_of=(dataset, part.value, fold),
        name=faces.dataset,
        **options,
    )


def _show(
    result: Evaluation, console: Console, *, as_json: bool, csv: Path | None, report: Path | None
) -> None:
    from aucli.cli.models.shared import print_json
    from aucli.cli.score_tables import show_evaluation
    from aucli.evaluation.table import write_csv

    if as_json:
        print_json(result.to_json())
    else:
        show_evaluation(result, console)
    written = []
    if csv is not None:
        write_csv(result, csv)
        written.append(csv)
    if report is not None:
        from aucli.evaluation.report import write_report

        written.append(write_report(result, report))
    if written:
        console.print(f"Written: {', '.join(map(str, written))}", markup=False, soft_wrap=True)


def _fold(text: str | None) -> int | Literal["all"] | None:
    if text is None:
        return None
    if text == "all":
        return "all"
    if not text.isdecimal():
        raise UsageError(f"--fold {text}: write the number of a fold, such as --fold 1, or --fold all")
    return int(text)


def _check_places(csv: Path | None, report: Path | None) -> None:
    """Before anything is computed: whether the files can be written where they were asked for."""
    if csv is not None and not csv.resolve().parent.is_dir():
        raise UsageError(f"{csv}: its folder does not exist; make it first (mkdir)")
    if csv is not None and csv.is_dir():
        raise UsageError(f"{csv}: is a folder; --csv wants a file")
    if report is not None:
        from aucli.evaluation.report import check_place

        check_place(report)


def _refuse(why: str, **given: Any) -> None:
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if names:
        raise UsageError(f"{why} {', '.join(names)}")
