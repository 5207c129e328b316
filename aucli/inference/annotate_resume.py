"""Which annotated videos are finished: the same input, look, model and rows made them.

The file itself says so: what became of its input is attached to its end, with a key that changes whenever the
pictures could. So it can be moved with its video, and nothing else has to lie beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.inference.devices import resolve_precision
from aucli.media.attachment import attached
from aucli.media.codecs import Encoding
from aucli.media.decode import decoders_tried
from aucli.sinks.draw.look import Look
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.identity import part_key
from aucli.sinks.report import ReportEntry

_OF_THE_RUN = ("video", "path", "subject", "file")  # not attached: a video is passed on without them


def annotate_key(
    source: Source,
    identity: Mapping[str, Any],
    look: Look,
    encoding: Encoding,
    *,
    made_of: Mapping[str, Any],
    card: Mapping[str, Any],
) -> str:
    """See `part_key`. made_of: `of_analysis` or `of_rows`; card: the model's, as JSON."""
    values = {"look": asdict(look), "codec": encoding.codec, "crf": encoding.crf, "made_of": dict(made_of)}
    model = hashlib.sha256(json.dumps(dict(card), sort_keys=True).encode()).hexdigest()
    return part_key(source, identity, values, model, __version__)


def of_analysis(config: ExtractConfig, device: str) -> dict[str, Any]:
    """What computed results depend on, beside the model."""
    precision = resolve_precision(config.precision, device)
    return config.value_fields() | {
        "precision": precision,
        "device": device.partition(":")[0],
        "decoder": list(decoders_tried(config.decoder, device)),
    }


def of_rows(extracted: ExtractedVideo) -> dict[str, Any]:
    """What identifies rows that are there."""
    return {"rows": extracted.digest()}


def attachment_of(entry: ReportEntry) -> dict[str, Any]:
    """What to attach to the video that an entry is of."""
    return {name: value for name, value in entry.to_json().items() if name not in _OF_THE_RUN}


def finished_entry(source: Source, files: Sequence[Path], key: str) -> ReportEntry | None:
    """The entry of one of these files, if it is whole and has this key."""
    for file in files:
        values = attached(file)
        if values is None or values.get("key") != key:
            continue
        names = {"video": source.name, "path": str(source.path)}
        try:
            entry = ReportEntry.from_json({**values, **names})
        except (TypeError, KeyError):
            continue
        return replace(entry, subject=source.subject, file=str(file))
    return None
