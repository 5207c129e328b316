"""Every measured figure as one long table, for `--csv` and for the report."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from aucli.evaluation.result import Evaluation
from aucli.evaluation.scores import INTENSITY_FIGURES
from aucli.sinks.atomic import atomic_file

_COUNTS = ("tp", "fp", "fn", "tn")
COLUMNS = (
    *("dataset", "part", "fold", "model", "leak", "decision", "au", "threshold"),
    *("labelled", "positive", "base_rate"),
    *("f1", "f1_lower", "f1_upper", "precision", "recall", "accuracy", *_COUNTS),
    *("auc", "auc_lower", "auc_upper", "average_precision"),
    *INTENSITY_FIGURES,
)


def rows(result: Evaluation) -> list[dict[str, Any]]:
    """One row per fold, way of deciding and AU, then the mean over the AUs; None where undefined.

    What papers report is not among them.
    """
    found = []
    for one in result.tested:
        scores = one.scores.to_json()
        for mode in one.scores.modes:
            for au, figures in [*scores["aus"].items(), ("mean", scores["mean"])]:
                row: dict[str, Any] = {
                    "dataset": result.dataset,
                    "part": result.part,
                    "fold": one.fold,
                    "model": one.card.name,
                    "leak": one.leak,
                    "decision": mode,
                    "au": au,
                }
                flat = {**figures, **figures[mode]}
                row |= {name: flat.get(name) for name in COLUMNS if name not in row}
                for name in ("f1", "auc"):
                    ends = flat[f"{name}_interval"] or (None, None)
                    row[f"{name}_lower"], row[f"{name}_upper"] = ends
                found.append(row)
    return found


def write_csv(result: Evaluation, path: Path) -> None:
    """Write `rows`, whole or not at all; what is undefined is left empty.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows(result))
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())
