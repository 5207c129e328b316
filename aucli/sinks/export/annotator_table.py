"""A table of AU events for human coders to check: one CSV file for the whole extraction, one row per event.

Made for spreadsheet programs: UTF-8 with a byte order mark and lines that end in CR LF, so that they take
umlauts for what they are; and texts that begin like a formula get a `'` before them, so that the name of a
file is not computed. pandas reads it with `encoding="utf-8-sig"`.

| column | meaning |
|---|---|
| `video`, `subject`, `track` | as in the extraction |
| `au`, `name` | `AU12`, and its name in FACS |
| `onset`, `apex`, `offset` | hours:minutes:seconds.milliseconds in the video's own time |
| `onset_frame`, `apex_frame`, `offset_frame` | numbers of frames, from 0; of the last frame of the event |
| `peak` | highest probability, 0 to 1; of a model that gives intensities alone, highest intensity, 0 to 5 |
| `coder`, `agree`, `note` | empty: for the coder to fill in |

Rows are in the order video, track, onset, AU, as a person watches. Not in the table: the course of values,
boxes, pose, events of AUs below the model's threshold.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from aucli.sinks.export.au_events import events_of, how_found
from aucli.sinks.export.contents import Contents
from aucli.sinks.export.read import VideoRows
from aucli_models.au import facs_order, title

_FOR_THE_CODER = ("coder", "agree", "note")
_COLUMNS = (
    "video",
    "subject",
    "track",
    "au",
    "name",
    "onset",
    "apex",
    "offset",
    "onset_frame",
    "apex_frame",
    "offset_frame",
    "peak",
    *_FOR_THE_CODER,
)
# What spreadsheet programs take for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class AnnotatorTableExporter:
    """See the module."""

    suffixes: tuple[str, ...] = (".csv",)
    whole = True
    per_person = False

    def contents(self, schema: pa.Schema) -> Contents:
        return Contents(
            remarks=(how_found(schema), "The columns coder, agree and note are for the coder to fill in")
        )

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        table = csv.writer(text)
        table.writerow(_COLUMNS)
        for video in videos:
            subject = video.extracted.subject or ""
            events = sorted(
                events_of(video.extracted, video.schema),
                key=lambda each: (each.track, each.event.onset_seconds, facs_order(each.au)),
            )
            for each in events:
                event = each.event
                times = (event.onset_seconds, event.apex_seconds, event.offset_seconds)
                table.writerow(
                    (
                        as_plain_text(video.name),
                        as_plain_text(subject),
                        each.track,
                        each.au,
                        title(each.au),
                        *(as_plain_text(time_code(seconds)) for seconds in times),
                        each.onset_frame,
                        each.apex_frame,
                        each.last_frame,
                        f"{event.peak:.3f}",
                        *("" for _ in _FOR_THE_CODER),
                    )
                )
        text.detach()  # flushes; the file is closed by its owner
        return ()


def as_plain_text(value: str) -> str:
    """The text with a `'` before it where a spreadsheet program would compute it."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def time_code(seconds: float) -> str:
    """`3661.5` -> `01:01:01.500`; with a `-` where a video's time stamps begin before 0."""
    milliseconds = round(abs(seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    sign = "-" if seconds < 0 and milliseconds else ""
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
