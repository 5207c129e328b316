"""The configuration of an extraction, and where its values come from.

`ExtractConfig` is one frozen value, checked when it is made. It is written into the output's
metadata, and its hash is part of the key by which finished videos are recognised when a run is
resumed.

`SETTINGS` names everything that can be set, once for all three places: an option ``--min-face 60``,
a variable ``AUCLI_MIN_FACE=60``, a line ``min-face = 60`` in the file of ``--config``. A new option
is one line there and one parameter of its command.
"""

from __future__ import annotations

import logging
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from aucli.datatypes import Selection, Shard
from aucli.errors import InputNotFoundError, UsageError

_LOG = logging.getLogger(__name__)

DetectorName = Literal["mtcnn", "insightface"]
DecoderName = Literal["auto", "pyav", "torchcodec", "pyav-cuda", "decord"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
_LEAST_WORKER_BYTES = 10**9  # the libraries alone take half of it

PrimaryRule = Literal["largest", "central", "longest"]
ClipMode = Literal["track", "official"]


@dataclass(frozen=True)
class ExtractConfig:
    """Everything that decides what `extract` does; the last eight fields never change a value.

    Raises:
        UsageError: a value outside its range, with what to type instead.
    """

    model: str = "builtin"  # card name or path
    detector: DetectorName = "mtcnn"
    decoder: DecoderName = "auto"
    selection: Selection = field(default_factory=Selection)
    detect_every: int | None = None  # None: chosen from the frame rate, see `faces.detect_every`
    max_faces: int | None = None
    primary: PrimaryRule | None = None
    min_face: int = 40  # pixels, shorter side of the smallest face looked for
    clips: ClipMode = "track"  # what a clip is to a model that reads them
    precision: Precision = "auto"
    device: str = "auto"
    batch_size: int | None = None  # None: chosen from the device
    jobs: int | None = None  # processes on the CPU, or on each GPU; None: one per core, or per GPU
    in_flight: int | None = None  # videos at a time in one process; None: chosen from the device
    segment_minutes: float | None = None  # longer videos are split over the workers; None: never
    profile: str | None = None  # .json file for the times of the stages; None: nothing is timed
    stall_seconds: float = 300.0  # without progress, after which a video is given up; 0: never
    worker_memory_bytes: int | None = None  # of one process; None: three quarters of what there is

    def __post_init__(self) -> None:
        for name, choices in (
            ("detector", DetectorName),
            ("decoder", DecoderName),
            ("precision", Precision),
            ("clips", ClipMode),
        ):
            if getattr(self, name) not in get_args(choices):
                raise UsageError(
                    f"--{name} {getattr(self, name)!r}: choose one of {', '.join(get_args(choices))}"
                )
        if self.primary is not None and self.primary not in get_args(PrimaryRule):
            raise UsageError(f"--primary {self.primary!r}: choose one of {', '.join(get_args(PrimaryRule))}")
        for name in ("detect_every", "max_faces", "batch_size", "jobs", "in_flight"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be 1 or more")
        if self.segment_minutes is not None and not 0 < self.segment_minutes < math.inf:
            raise UsageError(
                f"--segment {self.segment_minutes:g}: must be more than 0 minutes, for instance 10"
            )
        if self.profile is not None and not self.profile.endswith(".json"):
            # Else `--profile talk.mp4 -o out.parquet` would replace the video.
            raise UsageError(
                f"--profile {self.profile}: name a .json file, for instance --profile trace.json"
            )
        if not 0 <= self.stall_seconds < math.inf:
            raise UsageError(f"--stall-seconds {self.stall_seconds:g}: must be 0 (no limit) or more")
        if self.worker_memory_bytes is not None and self.worker_memory_bytes < _LEAST_WORKER_BYTES:
            least = _LEAST_WORKER_BYTES / 1e9
            raise UsageError(
                f"--worker-memory {self.worker_memory_bytes / 1e9:g}: must be {least:g} GB or more"
            )
        if self.min_face < 20:
            raise UsageError(f"--min-face {self.min_face}: must be 20 or more pixels")

    def value_fields(self) -> dict[str, Any]:
        """The fields on which the rows depend, as plain JSON values: the part of a resume key."""
        kept = asdict(self)
        for name in (
            "device",
            "batch_size",
            "jobs",
            "in_flight",
            "segment_minutes",
            "profile",
            "stall_seconds",
            "worker_memory_bytes",
        ):
            del kept[name]
        return kept


def parse_seconds(text: str) -> float:
    """A time given as seconds (``90.5``), ``mm:ss`` or ``hh:mm:ss`` with an optional fraction, in seconds.

    Raises:
        ValueError: anything else.
    """
    seconds = Decimal(0)  # decimal, so that 1:00.1 and 60.1 are the same float
    parts = text.split(":")
    if not re.fullmatch(r"([0-9]+:){0,2}[0-9]+([.][0-9]+)?", text) or any(
        Decimal(part) >= 60 for part in parts[1:]
    ):
        raise ValueError("must be a time such as 90.5 (seconds), 1:30.5 or 0:01:30.5")
    for part in parts:
        seconds = 60 * seconds + Decimal(part)
    return float(seconds)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number, for instance 5") from None


def _whole_number_or_auto(text: str) -> int | None:
    try:
        return None if text == "auto" else int(text)
    except ValueError:
        raise ValueError("must be auto or a whole number, for instance 8") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number, for instance 12.5")
    return number


def _shard(text: str) -> Shard:
    if not re.fullmatch("[0-9]+/[0-9]+", text):
        raise ValueError("must be which shard and of how many, for instance 1/4")
    number, _, count = text.partition("/")
    return Shard(int(number), int(count))


def _gigabytes_or_auto(text: str) -> int | None:
    try:
        return None if text == "auto" else int(1e9 * _number(text))
    except ValueError:
        raise ValueError("must be auto or a number of gigabytes, for instance 8") from None


def _switch(text: str) -> bool:
    value = {"1": True, "true": True, "yes": True, "on": True}.get(text.lower(), False)
    if not value and text.lower() not in {"0", "false", "no", "off"}:
        raise ValueError("must be true or false")
    return value


SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "output": str,
    "model": str,
    "device": str,
    "detector": str,
    "decoder": str,
    "batch_size": _whole_number_or_auto,
    "precision": str,
    "every": _whole_number,
    "fps": _number,
    "start": parse_seconds,
    "end": parse_seconds,
    "detect_every": _whole_number_or_auto,
    "max_faces": _whole_number,
    "primary": str,
    "min_face": _whole_number,
    "clips": str,
    "jobs": _whole_number_or_auto,
    "in_flight": _whole_number_or_auto,
    "segment": _number,
    "profile": str,
    "shard": _shard,
    "engine": str,
    "scheduler": str,
    "stall_seconds": _number,
    "worker_memory": _gigabytes_or_auto,
    "fresh": _switch,
    "fail_fast": _switch,
    "dry_run": _switch,
    "json": _switch,
    "quiet": _switch,
}
"""How each setting is read from text: raises ValueError with what it must be instead."""

_SELECTION = {"every": "every", "fps": "fps", "start": "start_seconds", "end": "end_seconds"}


def read_settings(values: Mapping[str, object], written: Callable[[str, object], str]) -> dict[str, Any]:
    """Settings from what a user wrote in one place; a value of None counts as not given.

    Every value goes through its text, so that all places accept and refuse the same things.

    written: how that place spells a name and a value, for the message: ``--every x``.

    Raises:
        UsageError: a name that is no setting, or a value that cannot be read.
    """
    settings = {}
    for name, value in values.items():
        if name not in SETTINGS:
            nearest = get_close_matches(name, SETTINGS, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(SETTINGS)}"
            raise UsageError(f"{written(name, value)}: {name} is not a setting; {hint}")
        if value is not None:
            try:
                settings[name] = SETTINGS[name](str(value))
            except ValueError as error:
                raise UsageError(f"{written(name, value)}: {error}") from None
    return settings


def override(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Both sets of settings, `upper` first. Every and fps are one choice: naming one drops the other."""
    kept = dict(lower)
    if {"every", "fps"} & upper.keys():
        kept.pop("every", None)
        kept.pop("fps", None)
    return kept | dict(upper)


def extract_config(settings: Mapping[str, Any]) -> ExtractConfig:
    """The configuration that these settings give; what is not among them keeps its default.

    Raises:
        UsageError: a value outside its range.
    """
    selection = {_SELECTION[name]: value for name, value in settings.items() if name in _SELECTION}
    names = {entry.name for entry in fields(ExtractConfig)}
    rest = {name: value for name, value in settings.items() if name in names}
    if "segment" in settings:
        rest["segment_minutes"] = settings["segment"]
    if "worker_memory" in settings:
        rest["worker_memory_bytes"] = settings["worker_memory"]
    return ExtractConfig(selection=Selection(**selection), **rest)


def load_settings(file: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a settings file (TOML) and the `AUCLI_*` variables say; a variable wins over the file.

    Each place is checked by itself, so that a message names the place of the mistake.

    Raises:
        InputNotFoundError: the file does not exist.
        UsageError: not TOML, a key that is no setting, a value that is wrong.
    """
    for variable in environ:
        name = variable.removeprefix("AUCLI_").lower()
        near = get_close_matches(name, SETTINGS, n=1, cutoff=0.75)
        if variable.startswith("AUCLI_") and near and name not in SETTINGS:
            _LOG.warning("%s is set and means nothing; AUCLI_%s would", variable, near[0].upper())
    # An empty variable counts as not set, as everywhere in a shell.
    variables = {name: environ.get(f"AUCLI_{name.upper()}") or None for name in SETTINGS}
    from_environ = read_settings(variables, lambda name, value: f"AUCLI_{name.upper()}={value}")
    _check_place("AUCLI_* variables", from_environ)
    return override(_load_file(file) if file is not None else {}, from_environ)


def _load_file(file: Path) -> dict[str, Any]:
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputNotFoundError(f"--config {file}: there is no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--config {file}: cannot be read as TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"--config {file}: cannot be read as TOML: it is nested too deep") from None
    values: dict[str, object] = {}
    for key, value in entries.items():
        name = key.replace("-", "_")
        if name in values:
            raise UsageError(f"{file}: {key} stands there twice, once with - and once with _")
        values[name] = value
    settings = read_settings(values, lambda name, value: f"{file}: {name} = {value}")
    _check_place(str(file), settings)
    return settings


def _check_place(place: str, settings: Mapping[str, Any]) -> None:
    try:
        extract_config(settings)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
