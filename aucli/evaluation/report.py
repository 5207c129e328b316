"""The report: one HTML page that needs nothing beside it, and in a folder its pictures as PNG too."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from aucli import __version__
from aucli.errors import InputNotFoundError, UsageError
from aucli.evaluation.figures import MODE_NAMES, figures
from aucli.evaluation.result import Evaluation, OverFolds
from aucli.evaluation.table import rows
from aucli.sinks.atomic import atomic_file, write_json

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; font-size: 13px; margin: 1em 0; font-variant-numeric: tabular-nums }
th, td { padding: 2px 10px; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
tr.mean { font-weight: bold }
.paper { color: #777; font-style: italic }
.warning { border-left: 4px solid #c8553d; padding-left: 1em }
figure { margin: 2em 0; overflow-x: auto } img { max-width: 100% } figcaption { color: #555 }
"""


def check_place(place: Path) -> None:
    """Whether a report can be written there: `NAME.html`, or a folder that is made if need be.

    Raises:
        InputNotFoundError: the folder that it would lie in is not there. UsageError: it is a file.
    """
    if not place.resolve().parent.is_dir():
        raise InputNotFoundError(f"{place}: its folder does not exist; make it first (mkdir)")
    if place.suffix != ".html" and place.exists() and not place.is_dir():
        raise UsageError(f"{place}: is a file; give --report a folder or a name that ends in .html")


def write_report(result: Evaluation, place: Path) -> Path:
    """Write the page, and into a folder also each picture and the figures as JSON; returns the page.

    Raises:
        InputNotFoundError, UsageError: see `check_place`. OutputError: it cannot be written.
    """
    check_place(place)
    drawn = list(figures(result))
    page = place
    if place.suffix != ".html":
        place.mkdir(exist_ok=True)
        page = place / "report.html"
        for name, _, picture in drawn:
            with atomic_file(place / f"{name}.png") as file:
                file.write(picture)
        write_json(place / "scores.json", result.to_json())
    with atomic_file(page) as file:
        file.write(_page(result, drawn).encode())
    return page


def _page(result: Evaluation, drawn: Iterable[tuple[str, str, bytes]]) -> str:
    title = f"{result.dataset}, {result.part} part"
    pictures = "".join(
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for _, caption, png in drawn
    )
    data = json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>aucli evaluate: {escape(title)}'
        f"</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{_about(result)}"
        f"{_folds(result) if len(result.tested) > 1 else ''}"
        f"{''.join(_measured(result, mode) for mode in result.modes)}{_papers(result)}{pictures}"
        f"<p>Written by aucli {__version__}. All measured figures stand in this page as JSON, in the element "
        f'<code>scores</code>.</p><script type="application/json" id="scores">{data}</script></body></html>\n'
    )


def _about(result: Evaluation) -> str:
    lines = []
    for one in result.tested:
        of_fold = "" if one.fold is None else f"Fold {one.fold}: "
        lines.append(
            f"<p>{of_fold}{escape(one.card.name)} (licence: {escape(one.card.licence)}) on "
            f"{one.scores.faces:,} faces of {one.scores.subjects} people."
            + (
                f" {len(one.unreadable)} pictures could not be read and are left out."
                if one.unreadable
                else ""
            )
            + "</p>"
        )
        if one.leak is not None:
            lines.append(f'<p class="warning"><b>Leak allowed:</b> {escape(one.leak)}.</p>')
        if one.joined is not None:
            lines.append(f"<p>{escape(one.joined.summary)}</p>")
    remarks = dict.fromkeys([*result.remarks, *(text for one in result.tested for text in one.remarks)])
    if result.missing_aus:
        remarks[f"Labelled, but not predicted and in no figure: {', '.join(result.missing_aus)}."] = None
    return "".join([*lines, *(f"<p>{escape(text)}</p>" for text in remarks)])


def _measured(result: Evaluation, mode: str) -> str:
    columns: dict[str, str | tuple[str, str]] = {
        "AU": "au", "fold": "fold", "labelled": "labelled", "base rate": "base_rate",
        "threshold": "threshold", "F1": "f1", "95 %": ("f1_lower", "f1_upper"), "precision": "precision",
        "recall": "recall", "accuracy": "accuracy", "AUC": "auc", "95 % ": ("auc_lower", "auc_upper"),
        "AP": "average_precision", "TP": "tp", "FP": "fp", "FN": "fn", "TN": "tn",
    }  # fmt: skip
    if any(one.scores.has_intensities for one in result.tested):
        columns |= {"ICC(3,1)": "icc", "MAE": "mae", "MSE": "mse", "Pearson r": "pearson"}
    if len(result.tested) == 1:
        del columns["fold"]
    body = []
    for row in rows(result):
        if row["decision"] != mode:
            continue
        cells = [
            f"{_cell(row[name[0]])} – {_cell(row[name[1]])}" if isinstance(name, tuple) else _cell(row[name])
            for name in columns.values()
        ]
        body.append((cells, row["au"] == "mean"))
    return f"<h2>{_heading(mode)}</h2>{_html_table(list(columns), body)}"


def _heading(mode: str) -> str:
    if mode == "protocol":
        return "Measured, protocol: the network's output at or above 0.5"
    return f"Measured, decided by {MODE_NAMES['card']}"


def _folds(result: Evaluation) -> str:
    over = result.over_folds()
    shown: list[tuple[str, OverFolds]] = [("AUC", over["ranking"]["auc"])]
    shown += [(f"F1, {MODE_NAMES[mode]}", over[mode]["f1"]) for mode in result.modes]
    if "intensity" in over:
        shown += [("ICC(3,1)", over["intensity"]["icc"]), ("MAE", over["intensity"]["mae"])]
    parts = ["<h2>Over the folds</h2>"]
    for heading, figure in shown:
        body = []
        for place, au in enumerate((*result.au_names, "mean")):
            values = (figure.mean, figure.sd, figure.lowest, figure.highest, *figure.interval)
            body.append(
                (
                    [au, *(_cell(None if v[place] != v[place] else float(v[place])) for v in values)],
                    au == "mean",
                )
            )
        headings = ["AU", "mean", "standard deviation", "lowest", "highest", "95 % from", "to"]
        parts.append(f"<h3>{escape(heading)}</h3>{_html_table(headings, body)}")
    return "".join(parts)


def _papers(result: Evaluation) -> str:
    if not result.papers:
        return ""
    headings = ["System", *(au for au in result.au_names), "mean"]
    body = [
        (
            [
                f"{row.system}, {row.backbone}",
                *(_cell(row.f1.get(au)) for au in result.au_names),
                _cell(row.mean_f1),
            ],
            False,
        )
        for row in result.papers
    ]
    sources = "".join(
        f"<li>{escape(source)}</li>" for source in dict.fromkeys(r.source for r in result.papers)
    )
    return (
        '<section class="paper"><h2>As published, not measured here</h2>'
        f"<p>F1 by the same protocol, means over its three folds.</p>{_html_table(headings, body)}"
        f"<ul>{sources}</ul></section>"
    )


def _html_table(headings: list[str], body: list[tuple[list[str], bool]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    lines = "".join(
        f"<tr{' class=mean' if is_mean else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for cells, is_mean in body
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
