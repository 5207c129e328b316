"""From settings to the configuration of a run; the one place where the default model comes in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aucli.config import ExtractConfig, extract_config
from aucli.errors import UnknownModelError
from aucli.zoo.catalogue import BUILTIN, find
from aucli.zoo.default import default_model


def configure(settings: Mapping[str, Any]) -> ExtractConfig:
    """The configuration that these settings give; without a model, with that of `aucli models use`.

    Raises:
        UsageError: a value outside its range, or the record of the default model cannot be read.
        UnknownModelError: the default model has been removed.
    """
    if "model" in settings:
        return extract_config(settings)
    model = default_model()
    try:
        if model != BUILTIN and not Path(model).is_file():  # a file is looked into when it is loaded
            find(model)
    except UnknownModelError as error:
        raise UnknownModelError(
            f"the default model cannot be used: {error}; or go back: aucli models use {BUILTIN}"
        ) from error
    return extract_config({**settings, "model": model})
