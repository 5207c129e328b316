"""The settings that `extract` would find in its surroundings."""

from __future__ import annotations

import os
from pathlib import Path

from aucli.config import ExtractConfig, extract_config, load_settings
from aucli.errors import AucliError
from aucli.inference.health.finding import Finding
from aucli.zoo.catalogue import BUILTIN
from aucli.zoo.default import default_model

_PREFIX = "AUCLI_"


def check_settings() -> tuple[ExtractConfig, list[Finding]]:
    """The configuration of an `extract` without options, and the variables that it comes from.

    What extract would refuse is a finding, and left out of the configuration. Whether the model is there
    is for the trials to say.
    """
    given = {name: value for name, value in sorted(os.environ.items()) if name.startswith(_PREFIX) and value}
    found, values = [], {}
    try:
        file = given.get("AUCLI_CONFIG")
        values = load_settings(Path(file) if file else None, os.environ)
        text = ", ".join(f"{name}={value}" for name, value in given.items())
        text = text or f"no {_PREFIX}* variable is set"
        found.append(Finding("settings", "variables", "ok", text, details=given))
    except AucliError as error:
        repair = "correct that setting, or take it away"
        found.append(Finding("settings", "variables", "fail", str(error), repair, given))
    try:
        values = {"model": default_model()} | values
    except AucliError as error:
        repair = f"aucli models use {BUILTIN}"
        found.append(Finding("settings", "default model", "fail", str(error), repair))
    return extract_config(values), found
