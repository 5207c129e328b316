"""`run.json`: what a run was told, what it ran on, and how it went; enough to repeat it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aucli import __version__
from aucli.sinks.atomic import write_json
from aucli.training.material import Parts
from aucli.training.options import TrainConfig
from aucli.training.pack import dataset_identity

_PACKAGES = ("torch", "timm", "numpy", "scipy", "pillow", "safetensors", "tensorboard")


def describe(config: TrainConfig, parts: Parts, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a run that begins. settings: of each stage, see `StageRun`."""
    data = {"train": parts.train} | ({} if parts.watch is None else {parts.watched: parts.watch})
    return {
        "aucli": __version__,
        "configuration": {key: _plain(value) for key, value in asdict(config).items()},
        "stages": settings,
        "dataset": {
            part: {
                "faces": len(faces),
                "people": len(set(faces.subjects)),
                "sha256": dataset_identity(faces),
            }
            for part, faces in data.items()
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "system": platform.platform(),
        "command_line": sys.argv,
        "state": "running",
        "results": {},
    }


def write_record(out: Path, record: Mapping[str, Any]) -> None:
    """Write it, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_json(out / "run.json", record)


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
