"""The options that `events`, `summary` and `report` share, and what they make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aucli.errors import UsageError

if TYPE_CHECKING:
    from aucli.sinks.tables.analysis import Options

_WHAT, _WHEN = "What is looked at", "When an AU is on"

Aus = Annotated[
    str | None,
    typer.Option(
        "--au",
        metavar="AU12,AU6",
        help="These AUs only; AU12_int is an intensity. Default: all.",
        rich_help_panel=_WHAT,
        show_default=False,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="median|START-END|FILE",
        help="Subtract each person's neutral: their median, their mean in these seconds, or their median in "
        "another extraction.",
        rich_help_panel=_WHAT,
        show_default=False,
    ),
]
AllFaces = Annotated[
    bool,
    typer.Option("--all-faces", help="Also faces that extract marked as not valid.", rich_help_panel=_WHAT),
]
Thresholds = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="AU12=0.4",
        help="From which an AU is on; again for others. Default: the model's; 2 for intensities.",
        rich_help_panel=_WHEN,
        show_default=False,
    ),
]
Enter = Annotated[
    float,
    typer.Option(metavar="X", help="An event begins at X times the threshold.", rich_help_panel=_WHEN),
]
Leave = Annotated[
    float, typer.Option(metavar="X", help="It ends below X times the threshold.", rich_help_panel=_WHEN)
]
MinDuration = Annotated[
    float,
    typer.Option(min=0, metavar="SECONDS", help="Shorter events are dropped.", rich_help_panel=_WHEN),
]
MaxGap = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="Pauses up to this, low or without a face, do not end an event.",
        rich_help_panel=_WHEN,
    ),
]
# The defaults of `EventSettings`, which is not imported for --help; a test compares them.
ENTER, LEAVE, MIN_DURATION, MAX_GAP = 1.0, 0.7, 0.1, 0.2


def read_options(given: Mapping[str, Any]) -> Options:
    """The options as typed (the parameters of Typer's context), checked as far as possible without the
    extraction.

    Raises:
        UsageError: one of them is not what it should be.
    """
    from aucli.series.baseline import read_baseline
    from aucli.series.events import EventSettings
    from aucli.sinks.tables.analysis import Options

    au, baseline = given["au"], given["baseline"]
    return Options(
        aus=None if au is None else [name for name in au.split(",") if name.strip()],
        thresholds=_thresholds(given["threshold"] or []),
        events=EventSettings(given["enter"], given["leave"], given["min_duration"], given["max_gap"]),
        baseline=None if baseline is None else read_baseline(baseline),
        with_invalid=given["all_faces"],
    )


def _thresholds(texts: list[str]) -> dict[str, float]:
    found = {}
    for text in ",".join(texts).split(",") if texts else ():
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--threshold {text}: write for instance --threshold AU12=0.4") from None
    return found
