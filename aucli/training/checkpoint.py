"""A stage's checkpoint: written whole or not at all, and only read by a run that is the same."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from aucli.errors import CheckpointError, UsageError
from aucli.plain_json import read_json
from aucli.sinks.atomic import atomic_file

FORMAT = 2


def save_checkpoint(path: Path, settings: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write state under the settings that it depends on; the file before it stays until this one is whole.

    Raises:
        OutputError: it cannot be written.
    """
    content = {"format": FORMAT, "settings": json.dumps(settings), "state": dict(state)}
    with atomic_file(path) as file:
        remembering = _Remembering(file)
        try:
            torch.save(content, cast("IO[bytes]", remembering))
        except RuntimeError as error:  # torch's, about its archive, after a write has failed
            raise remembering.error or error from error


def load_checkpoint(path: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state, or None where there is no checkpoint.

    Raises:
        UsageError: it is of a run with other settings; what differs is named.
        CheckpointError: damaged, or of another version.
    """
    if not path.exists():
        return None
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("not written by torch.save")
        content = torch.load(path, map_location="cpu", weights_only=True)
        written, number = read_json(content["settings"]), content["format"]
        state: dict[str, Any] = content["state"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path}: damaged or no checkpoint of a training run; start anew with --fresh"
        ) from error
    if number != FORMAT:
        raise CheckpointError(f"{path}: of another version of aucli; start anew with --fresh")
    differing = differences(written, json.loads(json.dumps(settings)))
    if differing:
        raise UsageError(
            f"{path.parent} holds a run with other settings: {'; '.join(differing)}; "
            "give the same to go on with it, another --out, or --fresh to start anew"
        )
    return state


class _Remembering:
    """A file to write that knows why it could not be written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two nested settings differ, in words."""
    found = []
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} was {_short(old)}, now {_short(new)}")
    return found


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:18]}...{text[-18:]}"
