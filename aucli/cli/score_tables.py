"""What `evaluate` and `calibrate` print, and how they show that they live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.measure import Measurement
from rich.table import Table

from aucli.evaluation.bootstrap import interval, mean_over_aus
from aucli.evaluation.calibrate import Calibrated
from aucli.evaluation.fit import FEWEST
from aucli.evaluation.join import Joined
from aucli.evaluation.result import Evaluation, OverFolds, Tested
from aucli.evaluation.scores import Floats

if TYPE_CHECKING:
    from rich.console import Console

    from aucli.evaluation.predict import Progress

_SECONDS_BETWEEN_LINES = 5.0
_FEW_SUBJECTS = 10
_FOLDS_SHOWN = 3
_DECIDED = {
    "protocol": "network output at or above 0.5, as in the papers",
    "card": "calibrated probability at or above the card's threshold, as extract writes it",
}


def show_evaluation(result: Evaluation, console: Console) -> None:
    """The measured figures, what papers report beside them, and everything to know before believing them."""
    console.print(f"{result.dataset}, {result.part} part", style="bold")
    for one in result.tested:
        _say(console, _line(one))
    if len(result.tested) == 1:
        _print_one_test(result, console)
    else:
        console.print(_folds(result))
    if result.papers:
        console.print("F1 as published for the same protocol, not measured here:", style="italic")
        console.print(_papers(result))
        for source in dict.fromkeys(row.source for row in result.papers):
            _say(console, f"  {source}")
    for mode in result.modes:
        name = "F1" if mode == "protocol" else "F1 card"
        _say(console, f"{name}: {_DECIDED[mode]}.")
    if any(one.scores.has_intensities for one in result.tested):
        _say(
            console,
            "Of intensities: ICC(3,1) (Shrout and Fleiss 1979), mean absolute error, Pearson's r.",
        )
    if any(len(one.scores.auc_draws) for one in result.tested):
        few = min(one.scores.subjects for one in result.tested) < _FEW_SUBJECTS
        rough = " It is rough for so few people." if few else ""
        _say(
            console, f"95 %, or in brackets: the 95 % interval over subjects, drawn with replacement.{rough}"
        )
    _remarks(result, console)


def _line(one: Tested) -> str:
    fold = "" if one.fold is None else f"fold {one.fold}: "
    return (
        f"{fold}{one.card.name} on {one.scores.faces:,} faces of {one.scores.subjects} people. "
        f"Licence: {one.card.licence}."
    )


_LEFT_OUT = (
    (),
    ("AP", "acc."),
    ("AP", "acc.", "prec.", "rec."),
    ("AP", "acc.", "prec.", "rec.", "n", "thr.", "r"),
)
"""Columns that a narrow terminal goes without; --json, --csv and --report have all of them."""
_COARSE = ("base", "thr.")


def _print_one_test(result: Evaluation, console: Console) -> None:
    for left_out in _LEFT_OUT:
        table = _one_test(result, left_out)
        if console.width >= Measurement.get(console, console.options.update(max_width=1000), table).maximum:
            break
    console.print(table)


def _one_test(result: Evaluation, left_out: Sequence[str]) -> Table:
    scores = result.tested[0].scores
    protocol, card = scores.modes["protocol"], scores.modes.get("card")
    columns: dict[str, tuple[Floats, Floats | None]] = {
        "base": (scores.base_rate, None),
        "F1": (protocol.f1, protocol.draws),
        "prec.": (protocol.precision, None),
        "rec.": (protocol.recall, None),
        "acc.": (protocol.accuracy, None),
        "AUC": (scores.auc, scores.auc_draws),
        "AP": (scores.average_precision, None),
    }
    if card is not None:
        columns |= {"thr.": (card.thresholds.astype(float), None), "F1 card": (card.f1, None)}
    if scores.has_intensities:
        columns |= {
            "ICC": (scores.icc, None),
            "MAE": (scores.mae, None),
            "MSE": (scores.mse, None),
            "r": (scores.pearson, None),
        }
    columns = {heading: column for heading, column in columns.items() if heading not in left_out}
    table = _table("AU")
    counts = "n" not in left_out
    for heading in (*(["n"] if counts else []), *columns):
        table.add_column(heading, justify="right", no_wrap=True)
    for place, au in enumerate(result.au_names):
        cells = [f"{scores.labelled[place]:,}"] if counts else []
        for heading, (values, draws) in columns.items():
            shown = _figure(values[place], digits=2 if heading in _COARSE else 3)
            cells.append(shown + _ends(None if draws is None else draws[:, place]))
        table.add_row(au, *cells)
    table.add_section()
    means = [""] if counts else []
    for heading, (values, draws) in columns.items():
        ends = _ends(None if draws is None else mean_over_aus(draws))
        shown = _figure(mean_over_aus(values), digits=2 if heading in _COARSE else 3)
        means.append("" if heading == "thr." else shown + ends)
    table.add_row("mean", *means)
    return table


def _ends(draws: Floats | None) -> str:
    ends = np.full(2, np.nan) if draws is None or len(draws) == 0 else interval(draws)
    return "" if np.isnan(ends).any() else f" [{ends[0]:.2f}–{ends[1]:.2f}]"


def _folds(result: Evaluation) -> Table:
    over = result.over_folds()
    f1, auc = over["protocol"]["f1"], over["ranking"]["auc"]
    each = [one.scores.modes["protocol"].f1 for one in result.tested]
    few = len(each) <= _FOLDS_SHOWN
    headings = ["F1 mean ± sd", "95 %"]
    headings += [f"fold {one.fold}" for one in result.tested] if few else ["lowest", "highest"]
    headings += ["AUC mean ± sd", *(["F1 card"] if "card" in over else [])]
    headings += ["ICC mean ± sd"] if "intensity" in over else []
    table = _table("AU")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for place, au in enumerate((*result.au_names, "mean")):
        low, high = f1.interval[:, place]
        cells = [_spread(f1, place), "" if np.isnan(low) else f"{low:.2f}–{high:.2f}"]
        if few:
            cells += [_figure(v[place] if place < len(v) else mean_over_aus(v)) for v in each]
        else:
            cells += [_figure(f1.lowest[place]), _figure(f1.highest[place])]
        cells.append(_spread(auc, place))
        if "card" in over:
            cells.append(_spread(over["card"]["f1"], place))
        if "intensity" in over:
            cells.append(_spread(over["intensity"]["icc"], place))
        if au == "mean":
            table.add_section()
        table.add_row(au, *cells)
    return table


def _papers(result: Evaluation) -> Table:
    table = _table("AU")
    f1 = result.over_folds()["protocol"]["f1"].mean
    table.add_column("measured here", justify="right")
    for row in result.papers:
        table.add_column(f"{row.system}\n{row.backbone}", justify="right", style="dim italic")
    for place, au in enumerate((*result.au_names, "mean")):
        if au == "mean":
            table.add_section()
        reported = (row.mean_f1 if au == "mean" else row.f1.get(au) for row in result.papers)
        table.add_row(
            au, _figure(f1[place]), *("" if value is None else f"{value:.3f}" for value in reported)
        )
    return table


def _remarks(result: Evaluation, console: Console) -> None:
    if result.missing_aus:
        _say(console, f"Labelled, but not predicted and in no figure: {', '.join(result.missing_aus)}.")
    for one in result.tested:
        if one.leak is not None:
            _say(console, f"LEAK ALLOWED: {one.leak}. These figures flatter the model.")
        _undefined(one, console)
        show_unreadable(one.unreadable, console)
        if one.joined is not None:
            _joined(one.joined, console)
    for text in dict.fromkeys([*result.remarks, *(text for one in result.tested for text in one.remarks)]):
        _say(console, text)


def _undefined(one: Tested, console: Console) -> None:
    """Which AUs cannot be judged on this set, and how they count."""
    scores = one.scores
    never = [au for au, some in zip(scores.au_names, scores.labelled, strict=True) if not some]
    absent = [
        au
        for au, some, positive in zip(scores.au_names, scores.labelled, scores.positives, strict=True)
        if some and not positive
    ]
    if absent:
        _say(console, f"Nowhere labelled positive, so that F1 is 0 by the protocol: {', '.join(absent)}.")
    if never:
        mean = scores.modes["protocol"].protocol_means[0]
        _say(
            console,
            f"Never labelled, and in no mean: {', '.join(never)}. OpenGraphAU's authors count them as F1 0: "
            f"the mean is then {mean:.3f}.",
        )


def _joined(joined: Joined, console: Console) -> None:
    _say(console, joined.summary)
    for what, names in (
        ("Labelled, not extracted", joined.videos_not_extracted),
        ("Extracted, not labelled", joined.videos_not_labelled),
        ("Several people, of whom the one seen longest is compared", joined.several_tracks),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            _say(console, f"{what}: {', '.join(names[:5])}{more}.")


def show_unreadable(unreadable: Mapping[str, str], console: Console) -> None:
    """How many pictures were left out, and why."""
    if unreadable:
        reason = next(iter(unreadable.values()))
        _say(
            console, f"Pictures left out because they cannot be read: {len(unreadable)}. The first: {reason}."
        )


def show_calibrated(result: Calibrated, console: Console) -> None:
    """Old and new thresholds, F1 with each on the faces that they were fitted to, and what was left."""
    old, new = (
        scores.modes.get("card", scores.modes["protocol"]) for scores in (result.before, result.after)
    )
    table = _table("AU")
    for heading in ("positive", "labelled", "AUC", "threshold", "F1", "new threshold", "new F1"):
        table.add_column(heading, justify="right")
    for place, au in enumerate(result.before.au_names):
        table.add_row(
            au,
            f"{result.before.positives[place]:,}",
            f"{result.before.labelled[place]:,}",
            _figure(result.before.auc[place]),
            _figure(old.thresholds[place]),
            _figure(old.f1[place]),
            _figure(new.thresholds[place]) if au not in result.left else "as it was",
            _figure(new.f1[place]),
        )
    table.add_section()
    means = (_figure(mean_over_aus(decisions.f1)) for decisions in (old, new))
    table.add_row("mean", "", "", _figure(mean_over_aus(result.before.auc)), "", next(means), "", next(means))
    console.print(table)
    _say(
        console, "These faces were fitted to, so the new F1 flatters: measure on others with aucli evaluate."
    )
    if result.left:
        left = ", ".join(f"{au} ({reason})" for au, reason in result.left.items())
        _say(
            console,
            f"They keep what they had: {left}. An AU needs {FEWEST} positive and as many negative faces.",
        )
    if result.leak is not None:
        _say(console, f"LEAK ALLOWED: {result.leak}.")
    show_unreadable(result.unreadable, console)
    _say(console, f"Written: {result.path}")
    _say(console, f"To use it: aucli extract --model {result.path} ...")


def _spread(figure: OverFolds, place: int) -> str:
    sd = "" if np.isnan(figure.sd[place]) else f" ± {figure.sd[place]:.3f}"
    return _figure(figure.mean[place]) + sd


def _figure(value: float | Floats, digits: int = 3) -> str:
    return "" if np.isnan(value) else f"{float(value):.{digits}f}"


def _table(first: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    return table


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


@contextmanager
def show_progress(console: Console) -> Iterator[Callable[[int | None], Progress]]:
    """A bar per fold on a terminal, a line now and then elsewhere."""
    if not console.is_terminal:
        yield lambda fold: _lines(console, _title(fold))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:

        def of_fold(fold: int | None) -> Progress:
            task = bars.add_task(_title(fold), total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield of_fold


def _title(fold: int | None) -> str:
    return "pictures" if fold is None else f"fold {fold}, pictures"


def _lines(console: Console, title: str) -> Progress:
    said = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            _say(console, f"aucli: {title} {done:,} of {total:,}")

    return progress
