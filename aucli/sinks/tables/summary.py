"""The tables of a summary: one row per video, track and AU, and one per pair of AUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aucli.series.course import Signal
from aucli.series.events import find_events
from aucli.series.summary import Cooccurrence, Figures, active_frames, cooccurrence_of, figures_of
from aucli.sinks.tables.analysis import Analysis, Prepared
from aucli.sinks.tables.courses import VideoCourses

MEANINGS = {
    "video": "path of the video as given to extract",
    "subject": "person named for the video; empty where none was named",
    "track": "number of the person through the video",
    "au": "action unit",
    "measure": "what was followed: probability (0 to 1) or intensity (0 to 5)",
    "threshold": "value from which the AU counts as on; with a baseline the change",
    "known_s": "seconds with a value; every other figure is of this time",
    "active_share": "share of that time with a value at or above the threshold, 0 to 1",
    "events": "number of events",
    "events_per_minute": "events in a minute of the known time",
    "mean": "mean by time of the value, as extracted",
    "max": "highest value, as extracted",
    "neutral": "the person's neutral value",
    "mean_change": "mean less neutral",
    "max_change": "max less neutral",
}
PAIR_MEANINGS = {
    "video": "path of the video as given to extract",
    "subject": "person named for the video; empty where none was named",
    "track": "number of the person through the video",
    "au_a": "one action unit",
    "au_b": "the other one",
    "known_s": "seconds for which both are known",
    "both_share": "share of that time in which both are on, 0 to 1",
    "phi": "correlation of the two on-off courses, -1 to 1; empty where one of them never changes",
}


@dataclass(frozen=True, eq=False)
class TrackSummary:
    """All figures of one track.

    events: int64 (signals,), how many there are. together: of the probabilities only, or of the intensities
    where there are no probabilities; `pairs_of` names them.
    """

    prepared: Prepared
    figures: Figures
    events: NDArray[np.int64]
    together: Cooccurrence

    @property
    def events_per_minute(self) -> NDArray[np.float64]:
        """float64 (signals,); NaN where no time is known."""
        known = self.figures.known_seconds
        rate: NDArray[np.float64] = np.divide(
            60.0 * self.events, known, out=np.full(len(known), np.nan), where=known > 0
        )
        return rate


def pairs_of(signals: tuple[Signal, ...]) -> list[int]:
    """Positions of the signals that are compared with one another: those of one measure."""
    first = [i for i, signal in enumerate(signals) if signal.measure == signals[0].measure]
    return first if signals else []


def summaries(analysis: Analysis) -> Iterator[tuple[VideoCourses, list[TrackSummary]]]:
    """The figures of each track, video by video.

    Raises:
        MediaError: rows cannot be read.
    """
    for video, tracks in analysis:
        yield video, [summary_of(one, analysis) for one in tracks]


def summary_of(one: Prepared, analysis: Analysis) -> TrackSummary:
    """The figures of one track."""
    active = active_frames(one.judged, one.thresholds)
    track, pairs = one.courses, pairs_of(analysis.signals)
    events = [
        0
        if np.isnan(threshold)
        else len(
            find_events(
                track.times_seconds,
                values,
                float(threshold),
                settings=analysis.options.events,
                ends_seconds=track.ends_seconds,
            )
        )
        for values, threshold in zip(one.judged, one.thresholds, strict=True)
    ]
    return TrackSummary(
        one,
        figures_of(track, one.judged, active),
        np.array(events),
        cooccurrence_of(one.judged[pairs], active[pairs], track.weights),
    )


def summary_tables(analysis: Analysis) -> tuple[pa.Table, pa.Table]:
    """The table per AU (`MEANINGS`) and the one per pair of AUs (`PAIR_MEANINGS`).

    Raises:
        MediaError: rows cannot be read.
    """
    left_out = () if analysis.options.baseline is not None else ("neutral", "mean_change", "max_change")
    names = [name for name in MEANINGS if name not in left_out]
    aus = [_schema(names).empty_table()]
    pairs = [_schema(list(PAIR_MEANINGS)).empty_table()]
    for _, tracks in summaries(analysis):
        for one in tracks:
            aus.append(_table(_au_columns(one, analysis), one, aus[0].schema))
            pairs.append(_table(_pair_columns(one, analysis), one, pairs[0].schema))
    return pa.concat_tables(aus).combine_chunks(), pa.concat_tables(pairs).combine_chunks()


_TYPES = {
    **dict.fromkeys(("video", "subject", "au", "au_a", "au_b", "measure"), pa.string()),
    "track": pa.int32(),
    "events": pa.int64(),
}


def _schema(names: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, _TYPES.get(name, pa.float64())) for name in names])


def _au_columns(one: TrackSummary, analysis: Analysis) -> dict[str, Any]:
    figures, neutral = one.figures, one.prepared.neutral
    judged = ~np.isnan(one.prepared.thresholds)
    return {
        "au": [signal.au for signal in analysis.signals],
        "measure": [signal.measure for signal in analysis.signals],
        "threshold": one.prepared.thresholds,
        "known_s": figures.known_seconds,
        "active_share": figures.active_share,
        "events": np.where(judged, one.events, np.nan),
        "events_per_minute": np.where(judged, one.events_per_minute, np.nan),
        "mean": figures.mean,
        "max": figures.highest,
        "neutral": neutral,
        "mean_change": figures.mean - neutral,
        "max_change": figures.highest - neutral,
    }


def _pair_columns(one: TrackSummary, analysis: Analysis) -> dict[str, Any]:
    names = [analysis.signals[place].au for place in pairs_of(analysis.signals)]
    a, b = np.triu_indices(len(names), 1)
    return {
        "au_a": [names[i] for i in a],
        "au_b": [names[i] for i in b],
        "known_s": one.together.known[a, b],
        "both_share": one.together.share[a, b],
        "phi": one.together.phi[a, b],
    }


def _table(columns: dict[str, Any], one: TrackSummary, schema: pa.Schema) -> pa.Table:
    """The rows of a track; NaN becomes null."""
    track = one.prepared.courses
    rows = len(columns["known_s"])
    whose = {"video": track.video, "subject": track.subject, "track": track.track}
    arrays = [
        pa.repeat(pa.scalar(whose[field.name], field.type), rows)
        if field.name in whose
        else pa.array(columns[field.name], field.type, from_pandas=True)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)
