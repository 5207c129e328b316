"""What makes a finished video the same as one still to do: the key of its part."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aucli.datatypes import Source
from aucli.media.kinds import is_picture_name
from aucli.media.remote import remote_identity

_SAMPLE_BYTES = 64 * 1024
KEY_LENGTH = 16  # hex digits


def input_identity(path: Path) -> dict[str, Any]:
    """What identifies the content of an input without reading all of it.

    For a file: size, modification time in ns, and the SHA-256 of its first and last 64 KiB. For a
    folder of pictures: the same of each file in it, by name, as one hash.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if is_picture_name(file.name) and file.is_file())
        identities = [(file.name, input_identity(file)) for file in files]
        return {"files": len(files), "sha256": _digest(identities)}
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        samples = hashlib.sha256(file.read(_SAMPLE_BYTES))
        file.seek(max(status.st_size - _SAMPLE_BYTES, 0))
        samples.update(file.read(_SAMPLE_BYTES))
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "samples_sha256": samples.hexdigest()}


def source_identity(source: Source) -> dict[str, Any]:
    """`input_identity` of a source wherever it lies; of what has an address without fetching all of it.

    Raises:
        OSError: it cannot be read.
    """
    return input_identity(source.path) if source.remote is None else remote_identity(source.remote)


def content_identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an `input_identity` that a copy of the file shares: all but the time of its last change."""
    return {name: value for name, value in identity.items() if name != "mtime_ns"}


def part_key(
    source: Source,
    identity: Mapping[str, Any],
    value_fields: Mapping[str, Any],
    model_sha256: str,
    version: str,
) -> str:
    """16 hex digits that change whenever the rows of this input could.

    identity: `source_identity(source)`. value_fields: `ExtractConfig.value_fields()`.
    model_sha256: of the weights and the card, because thresholds and crop convention are part of the
    result. version: of aucli.
    """
    return _digest(
        {
            "input": dict(identity),
            "path": str(source.path.resolve()) if source.remote is None else source.remote.url,
            "name": source.name,
            "kind": source.kind,
            "subject": source.subject,
            "start_seconds": source.start_seconds,
            "end_seconds": source.end_seconds,
            "config": dict(value_fields),
            "model": model_sha256,
            "version": version,
        }
    )[:KEY_LENGTH]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
