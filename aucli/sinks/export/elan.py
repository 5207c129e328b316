"""AU events as annotations for ELAN: one `.eaf` file per video, linked to it, for human coders.

Made for ELAN 6 (EAF 3.0), and for pympi, with which it is written. A tier for each track and AU with an
event, `track0_AU12`; participant is the subject, or the track; annotator is the model. An annotation lasts
from onset to offset in whole milliseconds, and its value is the peak probability, 0 to 1 (or intensity, 0
to 5, see `au_events`).

Times count from the beginning of the media file, as ELAN counts: where a file's own time stamps begin later
(transport streams), that is subtracted. Not in the file: the course of values, boxes, pose, events of AUs
below the model's threshold. Coders work in these files: an export never replaces one without `--overwrite`.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pympi import Elan

from aucli.sinks.export.au_events import AuEvent, events_of, how_found
from aucli.sinks.export.contents import Contents
from aucli.sinks.export.media import MediaPlaces, media_start_seconds
from aucli.sinks.export.read import VideoRows
from aucli.sinks.extraction import ExtractedVideo

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
_START_TOLERANCE_SECONDS = 0.0005


class ElanExporter:
    """See the module."""

    suffixes: tuple[str, ...] = (".eaf",)
    whole = False
    per_person = False

    def __init__(self, media: MediaPlaces) -> None:
        self._media = media

    def contents(self, schema: pa.Schema) -> Contents:
        with_probability = any(name.endswith("_prob") for name in schema.names)
        peak = "probability" if with_probability else "intensity (0 to 5)"
        return Contents(remarks=(how_found(schema), f"An annotation's value is the peak {peak} of its AU"))

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        remarks: tuple[str, ...] = ()
        for video in videos:
            found = self._media.find(video.extracted)
            start_seconds = 0.0 if found is None else media_start_seconds(found)
            if found is None:
                remarks += (
                    f"The video {video.name} was not found: ELAN will ask for it; --media FOLDER names the "
                    "folder below which it lies",
                )
            if abs(start_seconds) > _START_TOLERANCE_SECONDS:
                remarks += (
                    f"The video's own time stamps begin at {start_seconds:.3f} s: this is subtracted, as "
                    "ELAN counts from 0",
                )
            document = _document(
                video.extracted, list(events_of(video.extracted, video.schema)), start_seconds
            )
            _link(document, found or path.with_name(Path(video.name).name), path)
            file.write(b'<?xml version="1.0" encoding="UTF-8"?>\n')
            file.write(Elan.to_string(document, encoding="UTF-8"))
        return remarks


def _document(video: ExtractedVideo, events: list[AuEvent], start_seconds: float) -> Any:
    """The events on their tiers. pympi's own values are for EAF 2.8 and for time zones of whole hours."""
    document = Elan.Eaf(author="aucli")
    document.adocument |= {
        "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
        "VERSION": "3.0",
        "FORMAT": "3.0",
        "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
    }
    document.header |= {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    for each in events:
        tier = f"track{each.track}_{each.au}"
        if tier not in document.tiers:
            person = video.subject or f"track {each.track}"
            document.add_tier(tier, part=_xml(person), ann=_xml(f"aucli {video.card.get('name')}"))
        onset, offset = (
            max(round((seconds - start_seconds) * 1000), 0)
            for seconds in (each.event.onset_seconds, each.event.offset_seconds)
        )
        document.add_annotation(tier, onset, max(offset, onset + 1), f"{each.event.peak:.2f}")
    if events:
        document.remove_tier("default")
    _sort_time_slots(document)
    document.add_property("lastUsedAnnotationId", document.maxaid)
    return document


def _sort_time_slots(document: Any) -> None:
    """Number the time slots in the order of time, which EAF's description asks for and pympi does not do."""
    in_time = sorted(document.timeslots, key=document.timeslots.__getitem__)  # stable
    new = {old: f"ts{number}" for number, old in enumerate(in_time, 1)}
    document.timeslots = {new[old]: document.timeslots[old] for old in in_time}
    for on_tier, *_ in document.tiers.values():
        for name, (onset, offset, value, picture) in on_tier.items():
            on_tier[name] = (new[onset], new[offset], value, picture)


def _link(document: Any, media: Path, path: Path) -> None:
    """Link the media file as ELAN does: absolute, not percent-encoded, and relative to the file."""
    absolute = os.path.abspath(media)  # noqa: PTH100 # not resolve: a link stays a link
    relative = Path(os.path.relpath(absolute, path.absolute().parent)).as_posix()
    document.add_linked_file(
        _xml(f"file://{absolute}"),
        relpath=_xml(relative if relative.startswith("../") else f"./{relative}"),
        mimetype=mimetypes.guess_type(media.name)[0] or "video/*",
    )


def _xml(text: str) -> str:
    """The text without characters that no XML file can have."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
