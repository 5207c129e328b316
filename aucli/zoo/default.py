"""The model that is used when none is named. Imports no torch at module level."""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs

from aucli.errors import UsageError
from aucli.plain_json import read_json
from aucli.zoo import load
from aucli.zoo.catalogue import BUILTIN, find
from aucli.zoo.store import temporary_file


def config_folder() -> Path:
    """`AUCLI_CONFIG_FOLDER`, else the user's configuration folder of the system."""
    given = os.environ.get("AUCLI_CONFIG_FOLDER")
    return Path(given).expanduser() if given else platformdirs.user_config_path("aucli", appauthor=False)


def default_model() -> str:
    """What `set_default` recorded: a name or the full path of a file; `builtin` if it never did.

    Raises:
        UsageError: the record cannot be read.
    """
    path = _record()
    try:
        model = read_json(path.read_text(encoding="utf-8"))["model"]
    except FileNotFoundError:
        return BUILTIN
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): run `aucli models use {BUILTIN}`") from error
    if not isinstance(model, str):
        raise UsageError(f"{path} names no model: run `aucli models use {BUILTIN}`")
    return model


def set_default(model: str) -> None:
    """Make `model` the default, after loading it once to see that it works.

    Raises:
        UnknownModelError, CheckpointError: it cannot be loaded; the default stays what it was.
        OutputError: the record cannot be written.
    """
    entry = find(model)  # first: a mistyped name shall not wait for torch
    load(model)
    # A path has to mean the same file from any folder.
    name = model if model in (BUILTIN, entry.card.name) else str(Path(model).resolve())
    with temporary_file(_record()) as temporary:
        temporary.write_text(json.dumps({"model": name}) + "\n", encoding="utf-8")


def _record() -> Path:
    return config_folder() / "default_model.json"
