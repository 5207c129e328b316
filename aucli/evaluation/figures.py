"""The report's pictures. Matplotlib is imported when one is drawn, without its global state."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from aucli.evaluation.bootstrap import interval, mean_over_aus
from aucli.evaluation.curves import cooccurrence, precision_recall_curve, reliability, roc_curve
from aucli.evaluation.result import Evaluation
from aucli.evaluation.sample import Sample
from aucli.evaluation.scores import Floats, Mode, Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 6  # small pictures of AUs in a row
_POINTS = 2000  # of a curve that are drawn; a set may have a hundred thousand scores
_MEASURED, _FAINT, _SECOND = "#1f6f8b", "#9aa5ab", "#c8553d"
_LEVELS = (0.0, 1.0)


def figures(result: Evaluation) -> Iterator[tuple[str, str, bytes]]:
    """Name, caption and PNG of each picture; several folds are drawn as several lines."""
    samples = [one.sample for one in result.tested]
    several = " One line per fold." if len(samples) > 1 else ""
    yield "bars", _bars_caption(result), _png(_bars(result))
    yield (
        "roc",
        f"ROC curves: true against false positive rate, with the area under them.{several}",
        _png(_small_pictures(result, _draw_roc)),
    )
    yield (
        "precision_recall",
        f"Precision against recall, with the average precision; dotted: the base rate.{several}",
        _png(_small_pictures(result, _draw_precision_recall)),
    )
    yield (
        "calibration",
        "Calibration: share of positive labels against the mean probability written, in bins of 0.1; on the "
        f"diagonal a probability can be taken at its word. Number: expected calibration error.{several}",
        _png(_small_pictures(result, _draw_reliability)),
    )
    mode = result.modes[-1]
    yield (
        "cooccurrence",
        "Co-occurrence: how often the AU of the column is there where that of the row is; labelled, "
        f"predicted ({MODE_NAMES[mode]}), and their difference, in per cent, over all folds.",
        _png(_cooccurrence(result, mode)),
    )


MODE_NAMES: dict[Mode, str] = {"protocol": "output at 0.5", "card": "the card's thresholds"}


def _bars_caption(result: Evaluation) -> str:
    what = "mean over the folds, small marks: each fold" if len(result.tested) > 1 else "with its interval"
    return f"F1 and AUC per AU: {what}; the line is the 95 % interval over subjects."


def _bars(result: Evaluation) -> Figure:
    figure = _figure(max(7.0, 0.5 * len(result.au_names) + 2), 6.0)
    top, bottom = figure.subplots(2, 1, sharex=True)
    over = result.over_folds()
    shown = [(top, "F1", mode, over[mode]["f1"]) for mode in result.modes]
    shown.append((bottom, "AUC", "protocol", over["ranking"]["auc"]))
    places = np.arange(len(result.au_names) + 1)
    for axes, title, mode, figures in shown:
        width = 0.8 / (len(result.modes) if axes is top else 1)
        shift = (result.modes.index(mode) - (len(result.modes) - 1) / 2) * width if axes is top else 0.0
        colour = _MEASURED if mode == "protocol" else _SECOND
        axes.bar(places + shift, figures.mean, width * 0.95, color=colour, label=MODE_NAMES[mode])
        ends = _ends(result.tested[0].scores, mode, title) if len(result.tested) == 1 else figures.interval
        some = np.isfinite(ends).all(0)
        axes.vlines(places[some] + shift, ends[0, some], ends[1, some], color="black", linewidth=1)
        if len(result.tested) > 1:
            for one in result.tested:
                values = one.scores.modes[mode].f1 if title == "F1" else one.scores.auc
                axes.plot(places[:-1] + shift, values, "_", color="black", markersize=5, alpha=0.6)
        axes.set_ylim(*_LEVELS)
        axes.set_ylabel(title)
        axes.grid(axis="y", alpha=0.3)
    if len(result.modes) > 1:
        top.legend(fontsize=8, ncols=2, loc="upper right")
    bottom.axhline(0.5, color=_FAINT, linestyle=":")
    bottom.set_xticks(places, [*result.au_names, "mean"], rotation=60, fontsize=8)
    return figure


def _ends(scores: Scores, mode: Mode, title: str) -> Floats:
    draws = scores.modes[mode].draws if title == "F1" else scores.auc_draws
    return interval(np.concatenate([draws, mean_over_aus(draws)[:, None]], axis=1))


_Draw = Callable[["Axes", Sample, Scores, int], str]


def _small_pictures(result: Evaluation, draw: _Draw) -> Figure:
    rows = -(-len(result.au_names) // _ACROSS)
    across = min(_ACROSS, len(result.au_names))
    figure = _figure(1.9 * across + 0.4, 1.95 * rows + 0.4)
    every = figure.subplots(rows, across, squeeze=False, sharex=True, sharey=True).flatten()
    for place, axes in enumerate(every):
        if place >= len(result.au_names):
            axes.set_axis_off()
            continue
        notes = [draw(axes, one.sample, one.scores, place) for one in result.tested]
        axes.set_title(
            f"{result.au_names[place]}  {notes[0] if len(notes) == 1 else ''}".rstrip(), fontsize=8
        )
        axes.set_xlim(*_LEVELS)
        axes.set_ylim(0.0, 1.02)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.2)
    return figure


def _draw_roc(axes: Axes, sample: Sample, scores: Scores, au: int) -> str:
    x, y = roc_curve(sample.outputs[:, au], sample.labels[:, au])
    axes.plot([0, 1], [0, 1], ":", color=_FAINT, linewidth=0.8)
    axes.plot(*_thin(x, y), color=_MEASURED, linewidth=1.2)
    return _shown(scores.auc[au])


def _draw_precision_recall(axes: Axes, sample: Sample, scores: Scores, au: int) -> str:
    x, y = precision_recall_curve(sample.outputs[:, au], sample.labels[:, au])
    axes.axhline(scores.base_rate[au], linestyle=":", color=_FAINT, linewidth=0.8)
    axes.plot(*_thin(x, y), color=_MEASURED, linewidth=1.2)
    return _shown(scores.average_precision[au])


def _draw_reliability(axes: Axes, sample: Sample, scores: Scores, au: int) -> str:
    curve = reliability(sample.probabilities[:, au], sample.labels[:, au])
    axes.plot([0, 1], [0, 1], ":", color=_FAINT, linewidth=0.8)
    axes.plot(curve.predicted, curve.observed, "o-", color=_MEASURED, linewidth=1.0, markersize=2.5)
    return _shown(curve.error)


def _cooccurrence(result: Evaluation, mode: Mode) -> Figure:
    labels = np.concatenate([one.sample.labels for one in result.tested])
    found = np.concatenate(
        [
            one.sample.outputs >= one.scores.modes[mode].thresholds
            if mode == "protocol"
            else one.sample.occurrences
            for one in result.tested
        ]
    )
    labelled, predicted = (matrix * 100 for matrix in cooccurrence(found, labels))
    side = max(3.4, 0.32 * len(result.au_names) + 1.2)
    figure = _figure(3 * side, side + 0.3)
    titles = ("labelled", "predicted", "predicted minus labelled")
    places, names = range(len(result.au_names)), [au.removeprefix("AU") for au in result.au_names]
    for axes, title, matrix in zip(
        figure.subplots(1, 3), titles, (labelled, predicted, predicted - labelled), strict=True
    ):
        difference = title == titles[2]
        axes.set_facecolor("#dddddd")  # where the AU of the row is never there
        axes.imshow(
            matrix, cmap="RdBu_r" if difference else "Blues", vmin=-100 if difference else 0, vmax=100
        )
        axes.set_title(title, fontsize=9)
        axes.set_xticks(places, names, fontsize=7, rotation=90)
        axes.set_yticks(places, names, fontsize=7)
        for row, column in np.argwhere(np.isfinite(matrix)):
            dark = abs(matrix[row, column]) > 60
            axes.text(
                column,
                row,
                f"{matrix[row, column]:.0f}",
                ha="center",
                va="center",
                fontsize=5,
                color="white" if dark else "black",
            )
    return figure


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most `_POINTS` points of a curve, its ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).astype(int))
    return x[kept], y[kept]


def _shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    # No software name and version inside: the same figures give the same file.
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()
