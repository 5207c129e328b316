"""The table of events: one row per event, in the order video, track, AU, onset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from aucli.series.events import find_events
from aucli.sinks.tables.analysis import Analysis

_COLUMNS = {
    "video": pa.string(),
    "subject": pa.string(),
    "track": pa.int32(),
    "au": pa.string(),
    "measure": pa.string(),
    "onset_s": pa.float64(),
    "apex_s": pa.float64(),
    "offset_s": pa.float64(),
    "duration_s": pa.float64(),
    "peak": pa.float32(),
    "onset_frame": pa.int32(),
    "apex_frame": pa.int32(),
    "last_frame": pa.int32(),
    "cut_start": pa.bool_(),
    "cut_end": pa.bool_(),
    "enter": pa.float64(),
    "leave": pa.float64(),
}
_WITH_BASELINE = {"neutral": pa.float64(), "peak_change": pa.float32()}

MEANINGS = {
    "video": "path of the video as given to extract",
    "subject": "person named for the video; empty where none was named",
    "track": "number of the person through the video",
    "au": "action unit",
    "measure": "what was followed: probability (0 to 1) or intensity (0 to 5)",
    "onset_s": "time stamp of the first frame of the event in seconds",
    "apex_s": "time stamp of the frame with the highest value",
    "offset_s": "when the last frame of the event gives way to the next one",
    "duration_s": "from onset to offset in seconds",
    "peak": "the highest value, as extracted",
    "onset_frame": "frame of the onset",
    "apex_frame": "frame of the apex",
    "last_frame": "last frame of the event",
    "cut_start": "already on in the first frame with a value: it may have begun earlier",
    "cut_end": "still on in the last frame with a value: it may have lasted longer",
    "enter": "value from which the event counts; with a baseline the change",
    "leave": "value below which it ends; with a baseline the change",
    "neutral": "the person's neutral value",
    "peak_change": "peak less neutral",
}


def event_table(analysis: Analysis) -> pa.Table:
    """All events of an extraction. What each column means stands in `MEANINGS`.

    Raises:
        MediaError: rows cannot be read.
    """
    with_baseline = analysis.options.baseline is not None
    types = _COLUMNS | (_WITH_BASELINE if with_baseline else {})
    settings = analysis.options.events
    columns: dict[str, list[Any]] = {name: [] for name in types}
    for _, tracks in analysis:
        for one in tracks:
            track = one.courses
            for place, signal in enumerate(analysis.signals):
                threshold = float(one.thresholds[place])
                if np.isnan(threshold):
                    continue  # nobody knows this person's neutral
                for event in find_events(
                    track.times_seconds,
                    one.judged[place],
                    threshold,
                    settings=settings,
                    ends_seconds=track.ends_seconds,
                ):
                    row = {
                        "video": track.video,
                        "subject": track.subject,
                        "track": track.track,
                        "au": signal.au,
                        "measure": signal.measure,
                        "onset_s": event.onset_seconds,
                        "apex_s": event.apex_seconds,
                        "offset_s": event.offset_seconds,
                        "duration_s": round(event.duration_seconds, 6),
                        "peak": track.values[place, event.apex_index],
                        "onset_frame": track.frames[event.onset_index],
                        "apex_frame": track.frames[event.apex_index],
                        "last_frame": track.frames[event.last_index],
                        "cut_start": event.cut_start,
                        "cut_end": event.cut_end,
                        "enter": threshold * settings.enter,
                        "leave": threshold * settings.leave,
                    }
                    if with_baseline:
                        row |= {"neutral": one.neutral[place], "peak_change": event.peak}
                    for name, value in row.items():
                        columns[name].append(value)
    return pa.table({name: pa.array(columns[name], kind) for name, kind in types.items()})
