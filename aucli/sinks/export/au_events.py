"""Events of the AUs in a video, as ELAN files and tables for coders list them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from aucli.series.course import Signal
from aucli.series.events import Event, EventSettings, find_events
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.tables.analysis import INTENSITY_THRESHOLD, intensity_threshold
from aucli.sinks.tables.courses import column_of, read_courses
from aucli_models.au import facs_order

SETTINGS = EventSettings()


@dataclass(frozen=True)
class AuEvent:
    """One event: of which track and AU, when, and in which frames (counted from 0)."""

    track: int
    au: str
    event: Event
    onset_frame: int
    apex_frame: int
    last_frame: int


def events_of(video: ExtractedVideo, schema: pa.Schema) -> Iterator[AuEvent]:
    """The events of each track and AU, in the order track, AU (FACS), onset.

    Found in the probabilities, by the model's thresholds and `SETTINGS`, in faces that are `valid`; of a
    model without probabilities in the intensities, from grade B on where it has no thresholds.
    schema: of the video's rows.

    Raises:
        MediaError: the rows cannot be read.
    """
    thresholds = {Signal(au): float(value) for au, value in video.card["thresholds"].items()}
    if not video.card.get("probabilities", True):
        aus = video.card["intensity_aus"]
        thresholds = {Signal(au, "intensity"): intensity_threshold(video.card, au) for au in aus}
    there = [signal for signal in thresholds if column_of(signal) in schema.names]
    signals = sorted(there, key=lambda signal: facs_order(signal.au))
    for track in read_courses(video, signals).tracks:
        for signal, values in zip(track.signals, track.values, strict=True):
            for event in find_events(
                track.times_seconds,
                values,
                thresholds[signal],
                settings=SETTINGS,
                ends_seconds=track.ends_seconds,
            ):
                places = (event.onset_index, event.apex_index, event.last_index)
                yield AuEvent(track.track, signal.au, event, *(int(track.frames[place]) for place in places))


def how_found(schema: pa.Schema) -> str:
    """The rule in words, with its numbers. schema: of the extraction's rows."""
    pause, least = SETTINGS.max_gap_seconds, SETTINGS.min_duration_seconds
    begin = "begin at the model's threshold"
    if all(name.endswith("_int") for name in schema.names if name.startswith("AU")):
        begin = f"begin from intensity {INTENSITY_THRESHOLD:g} on"
    return (
        f"Events {begin} and end below {SETTINGS.leave:g} times that; pauses "
        f"up to {pause:g} s are bridged, events shorter than {least:g} s dropped; "
        "faces that are not valid are left out"
    )
