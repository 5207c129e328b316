"""What `aucli doctor` finds out about this machine and this installation, as data.

`examine` tries each part for real, in processes of their own: a library that crashes or hangs takes
nothing else with it. To add a trial, write a function `(ExtractConfig) -> list[Finding]` in a module of
this folder and name it in `TRIALS`. It raises where what it tries does not work.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from aucli.config import ExtractConfig
from aucli.errors import AucliError, DeviceError
from aucli.inference.devices import available_cores
from aucli.inference.environment import worker_environment
from aucli.inference.events import EventHook
from aucli.inference.health.finding import Finding, State
from aucli.inference.health.machine import check_memory, check_processor
from aucli.inference.health.settings import check_settings
from aucli.inference.health.versions import check_versions
from aucli.inference.supervisor import Task, TaskFailure, run_tasks

__all__ = ["Finding", "State", "examine"]

SECTIONS = ("versions", "settings", "devices", "decoders", "detectors", "cache", "models", "extract")
_SECONDS = 60  # for one trial; most take less than one
_ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",
    # Else onnxruntime writes an identity into the user's cache and reports to its maker when it is imported.
    "ORT_DISABLE_TELEMETRY": "1",
}
_AGAIN = "pip install --force-reinstall --no-deps"


@dataclass(frozen=True)
class Trial:
    """function: `module:name` below this package. weight: heavier trials start first.

    is_needed: whether `extract` needs it under these settings. repair: for what is not foreseen.
    """

    section: str
    name: str
    function: str
    repair: str
    is_needed: Callable[[ExtractConfig], bool] = lambda _: True
    weight: float = 1.0


TRIALS = (
    Trial("devices", "GPU", "gpus:gpus", f"{_AGAIN} torch"),
    Trial("decoders", "pyav", "decoders:pyav", f"{_AGAIN} av"),
    Trial(
        "decoders",
        "decord",
        "decoders:decord",
        "leave it: --decoder pyav does all that it does",
        lambda config: config.decoder == "decord",
    ),
    Trial(
        "decoders",
        "torchcodec",
        "gpu_decoders:torchcodec",
        "leave it: --decoder auto takes another one; or pip install 'aucli[gpu]'",
        lambda config: config.decoder == "torchcodec",
    ),
    Trial(
        "decoders",
        "pyav-cuda",
        "gpu_decoders:pyav_cuda",
        "leave it: --decoder auto takes another one",
        lambda config: config.decoder == "pyav-cuda",
    ),
    Trial(
        "detectors",
        "mtcnn",
        "detectors:mtcnn",
        f"{_AGAIN} facenet-pytorch==2.5.3",
        lambda config: config.detector == "mtcnn",
    ),
    Trial(
        "detectors",
        "insightface",
        "detectors:insightface",
        "apt-get install libgl1 libglib2.0-0 (where it names libGL); pip install insightface onnxruntime",
        lambda config: config.detector == "insightface",
        weight=2.0,
    ),
    Trial("models", "models", "models:models", "aucli models use builtin"),
    Trial(
        "extract",
        "trial",
        "whole:extract",
        "what failed above; if nothing did, aucli --debug extract VIDEO -o out.parquet shows where it arose",
        weight=3.0,
    ),
)


def examine() -> list[Finding]:
    """Everything there is to find out, section by section; takes a few seconds.

    The settings are those of an `extract` without options, with the `AUCLI_*` variables of this process.
    """
    config, found = check_settings()
    for section, name, check in (
        ("versions", "packages", check_versions),
        ("devices", "CPU", check_processor),
        ("devices", "memory", check_memory),
    ):
        try:
            found += check()
        except Exception as error:  # a check that fails never stops the others
            found.append(Finding(section, name, "warn", _described(error)))
    tasks = [Task(trial.name, place, trial.weight) for place, trial in enumerate(TRIALS)]
    processes = min(2, available_cores())
    outcomes = run_tasks(
        tasks,
        setup=f"{__name__}:set_up",
        setup_kwargs=[{"config": config}] * processes,
        on_event=lambda _: None,
        retries=0,
        environments=[worker_environment("cuda") | _ENVIRONMENT] * processes,
    )
    with closing(outcomes):
        tried: dict[int, Any] = {task.payload: outcome for task, outcome in outcomes}
    for place, trial in enumerate(TRIALS):
        if isinstance(tried[place], TaskFailure):  # its process died
            found.append(_failed(trial, _how_it_died(tried[place].reason), config))
        else:
            found += tried[place]
    return sorted(found, key=lambda finding: SECTIONS.index(finding.section))


def set_up(config: ExtractConfig) -> Callable[[int, EventHook], list[Finding]]:
    """For a trial's process: the function that does the trial of this place in `TRIALS`."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process, also inside a library

    def process(place: int, _send: EventHook) -> list[Finding]:
        trial = TRIALS[place]
        signal.alarm(_SECONDS)
        try:
            module, _, function = trial.function.partition(":")
            findings: list[Finding] = getattr(import_module(f"{__name__}.{module}"), function)(config)
        except Exception as error:  # whatever it is, it is the finding
            return [_failed(trial, _described(error), config, error)]
        finally:
            signal.alarm(0)
        return findings

    return process


def _failed(trial: Trial, reason: str, config: ExtractConfig, error: Exception | None = None) -> Finding:
    state: State = "fail" if trial.is_needed(config) else "warn"
    repair = "aucli extract --device cpu" if isinstance(error, DeviceError) else trial.repair
    return Finding(trial.section, trial.name, state, reason, repair, {"reason": reason})


def _described(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no reason given"
    return text if isinstance(error, AucliError) else f"{type(error).__name__}: {text}"


def _how_it_died(reason: str) -> str:
    if f"signal {signal.SIGALRM.value})" in reason:
        return f"did not answer within {_SECONDS} seconds"
    return f"crashed: {reason}"
