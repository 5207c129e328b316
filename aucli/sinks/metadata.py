"""The `aucli` entry in the Parquet file's metadata: everything needed to understand the rows.

Nothing volatile goes in here (times of day, wall seconds, host, processes, batch size): a run that was
killed and started again writes the same bytes as one that was not. The report has the volatile part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from aucli.plain_json import json_bytes, read_json
from aucli.sinks.report import ReportEntry
from aucli.sinks.schema import describe_columns

METADATA_KEY = b"aucli"


def output_metadata(
    schema: pa.Schema,
    entries: Sequence[ReportEntry],
    *,
    identities: Mapping[str, Mapping[str, Any]],
    version: str,
    config: Mapping[str, Any],
    card: Mapping[str, Any],
    detector: Mapping[str, Any],
    crop: Mapping[str, Any],
    machine: Mapping[str, Any],
    versions: Mapping[str, str],
    command_line: Sequence[str] | None,
    citations: Sequence[str],
    valid_rule: str,
) -> dict[bytes, bytes]:
    """The metadata of a file that holds the rows of `entries`, in their order, as JSON under `aucli`.

    identities: of the inputs' content by the key of their entry, see `identity.content_identity`.
    version: of aucli. config: `ExtractConfig.value_fields()`. card: name, sha256 of the weights,
    thresholds, licence, weak AUs. detector: name and settings. crop: the card's crop convention.
    machine: architecture and kind of device, on which floating point may depend; not the host.
    versions: packages that compute. command_line: as typed, None for a call from Python.
    valid_rule: in words, how `valid` is decided.

    `videos` lists per video the identity of its content, its decoder, status and reason, and the key and
    number of its rows, by which a later run finds them again.
    """
    value = {
        "version": version,
        "config": dict(config),
        "card": dict(card),
        "detector": dict(detector),
        "crop": dict(crop),
        "valid_rule": valid_rule,
        "videos": [
            {
                "video": entry.video,
                "subject": entry.subject,
                "input": dict(identities[entry.key]),
                "status": entry.status,
                "reason": entry.reason,
                "decoder": entry.decoder,
                "rows": entry.rows,
                "key": entry.key,
            }
            for entry in entries
            if entry.rows
        ],
        "columns": describe_columns(schema),
        "machine": dict(machine),
        "versions": dict(versions),
        "command_line": None if command_line is None else list(command_line),
        "citations": list(citations),
    }
    return {METADATA_KEY: json_bytes(value)}


def read_metadata(schema: pa.Schema) -> dict[str, Any] | None:
    """The `aucli` entry of a file's schema, or None where it has none that can be read."""
    try:
        value = read_json((schema.metadata or {})[METADATA_KEY])
    except (KeyError, ValueError):
        return None
    return value if isinstance(value, dict) else None
