"""Which devices a run uses, and how it is split over processes and threads."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from aucli.config import Precision
from aucli.errors import DeviceError, UsageError
from aucli.inference.limits import cpu_quota

# NVIDIA's driver makes the first, WSL the second. Without either there is no need to import torch, which
# takes more than a second, to learn that there is no GPU.
_DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))


@dataclass(frozen=True)
class WorkerPlan:
    """One worker process: its device as torch names it, and the threads it may keep busy."""

    device: str
    threads: int


def resolve_device(device: str) -> tuple[str, ...]:
    """Device names for `auto`, `cpu`, `cuda`, `cuda:1` or `cuda:0,2`; `auto` takes all GPUs, else the CPU.

    Raises:
        UsageError: not one of these forms.
        DeviceError: a GPU that is not there, or a torch without CUDA.
    """
    if device == "cpu":
        return ("cpu",)
    match = re.fullmatch(r"auto|cuda(?::(\d+(?:,\d+)*))?", device)
    if match is None:
        raise UsageError(f"--device {device!r}: write auto, cpu, cuda, cuda:0 or cuda:0,2")
    count = _gpu_count()
    if device == "auto":
        return tuple(f"cuda:{index}" for index in range(count)) or ("cpu",)
    if count == 0:
        raise DeviceError(
            f"--device {device}: there is no CUDA device here that torch can use; try --device cpu"
        )
    if match[1] is None:
        return tuple(f"cuda:{index}" for index in range(count))
    chosen = tuple(dict.fromkeys(int(index) for index in match[1].split(",")))
    missing = [index for index in chosen if index >= count]
    if missing:
        raise DeviceError(
            f"--device {device}: there is no cuda:{missing[0]}; there are cuda:0 to cuda:{count - 1}"
        )
    return tuple(f"cuda:{index}" for index in chosen)


def has_gpu_driver() -> bool:
    """Whether a driver that torch could use is loaded; also True where the system does not tell."""
    return os.name != "posix" or any(path.exists() for path in _DRIVER_FILES)


def _gpu_count() -> int:
    if not has_gpu_driver():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def available_cores() -> int:
    """Cores this process may use (affinity and container limits, where the system tells)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(cpu_quota() or cores)))


def plan_workers(devices: tuple[str, ...], jobs: int | None, videos: int) -> list[WorkerPlan]:
    """`jobs` processes, each with one video at a time: on the CPU in all (default: one per core), on GPUs on
    each of them (default: one).

    More than one keeps several of a GPU's decoding engines busy, and a codec that crashes still ends one
    video. There are never more processes than videos, and a lone video gets all cores.
    """
    cores = available_cores()
    if devices == ("cpu",):
        workers = max(1, min(jobs or cores, videos))
        return [WorkerPlan("cpu", max(1, cores // workers))] * workers
    places = devices * (jobs or 1)  # the first on each GPU before the second on any
    workers = max(1, min(len(places), videos))
    return [WorkerPlan(device, max(1, cores // workers)) for device in places[:workers]]


def resolve_precision(precision: Precision, device: str) -> str:
    """`auto` is fp32 on the CPU, where results are exactly repeatable, and bf16 on a GPU."""
    if precision == "auto":
        return "fp32" if device == "cpu" else "bf16"
    if precision == "fp16" and device == "cpu":
        raise UsageError("--precision fp16 is slower than fp32 on a CPU: use fp32 or bf16")
    return precision
