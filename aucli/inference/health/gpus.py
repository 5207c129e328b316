"""The GPUs: what each is, and whether torch computes rightly on it; or why there is none."""

from __future__ import annotations

import ctypes
import os
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from aucli.config import ExtractConfig
from aucli.inference.devices import has_gpu_driver, resolve_device
from aucli.inference.health.finding import Finding
from aucli.inference.health.machine import gib
from aucli.media.decode.convert import fused_on

_LIBRARIES = ("libcuda.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1")
_INSTALL = "install the torch that fits this driver: https://pytorch.org/get-started/locally"
_ON_CPU = "or go without: aucli extract --device cpu"


def gpus(config: ExtractConfig) -> list[Finding]:
    """The device that `extract` takes, then each GPU."""
    if config.device == "cpu" or not has_gpu_driver():
        names, count = resolve_device(config.device), 0
        reason = "not looked for" if has_gpu_driver() else "none: there is no NVIDIA driver here"
        found = [Finding("devices", "GPU", "ok", reason, details=_torch())]
    else:
        count, why_not = _count()
        details = _torch() | {"driver": _driver_version(), "libraries": _libraries()}
        if count:
            text = f"{count}, driver {details['driver']}, CUDA {torch.version.cuda}"
            found = [Finding("devices", "GPU", "ok", text, details=details)]
        else:
            text = f"none that torch can use: {why_not}"
            found = [Finding("devices", "GPU", "warn", text, f"{_INSTALL}; {_ON_CPU}", details)]
        names = resolve_device(config.device) if count or config.device != "auto" else ("cpu",)
    found += [_gpu(index, used=f"cuda:{index}" in names) for index in range(count)]
    text = f"extract runs on {', '.join(names)}"
    return [*found, Finding("devices", "choice", "ok", text, details={"devices": list(names)})]


def _count() -> tuple[int, str]:
    """Number of GPUs that torch sees, and why none where that is 0."""
    if torch.version.cuda is None and torch.version.hip is None:
        return 0, f"torch {torch.__version__} is a CPU build"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if torch.cuda.is_available():
            return torch.cuda.device_count(), ""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is not None:
            return 0, f"CUDA_VISIBLE_DEVICES={visible} hides them, or the driver does not fit"
        try:
            torch.cuda.init()  # type: ignore[no-untyped-call]  # torch gives it no types
        except (RuntimeError, AssertionError) as error:
            return 0, str(error).splitlines()[0]
    return 0, "CUDA finds no device"


def _gpu(index: int, *, used: bool) -> Finding:
    name = f"cuda:{index}"
    details: dict[str, Any] = {"device": name}
    try:
        about = torch.cuda.get_device_properties(index)
        details |= {
            "name": about.name,
            "total_bytes": about.total_memory,
            "compute_capability": f"{about.major}.{about.minor}",
            "built_for": torch.cuda.get_arch_list(),
        }
        details["free_bytes"] = torch.cuda.mem_get_info(index)[0]
        difference = _difference_to_cpu(name)
        details["pictures_converted_by"] = "steps" if fused_on(torch.device(name)) is None else "one kernel"
    except (RuntimeError, AssertionError) as error:  # torch has no narrower class for what CUDA reports
        text = f"{details.get('name', '')} does not compute: {str(error).splitlines()[0]}".strip()
        return Finding("devices", name, "fail" if used else "warn", text, f"{_INSTALL}; {_ON_CPU}", details)
    text = (
        f"{about.name}, {gib(details['free_bytes'])} of {gib(about.total_memory)} free, "
        f"compute capability {details['compute_capability']}"
    )
    details["difference_to_cpu"] = difference
    if not difference < 0.01:  # also NaN; half of float32's digits, for TF32 is allowed to take them
        text += f"; but it computes wrongly (a product differs by {difference:g} from the CPU's)"
        return Finding("devices", name, "fail" if used else "warn", text, _ON_CPU, details)
    return Finding("devices", name, "ok", text, details=details)


def _difference_to_cpu(device: str) -> float:
    """Largest difference of a small convolution's values, of size about 1, between GPU and CPU."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 8, 32, 32, generator=generator)
    kernels = torch.randn(8, 8, 3, 3, generator=generator) / 72**0.5
    there = torch.conv2d(images.to(device), kernels.to(device)).cpu()
    return float((there - torch.conv2d(images, kernels)).abs().max())


def _torch() -> dict[str, Any]:
    return {"torch": torch.__version__, "cuda_of_torch": torch.version.cuda}


def _driver_version() -> str | None:
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return None
    found = re.search(r"\b\d{3,}\.[\d.]+\b", text)
    return found[0] if found else None


def _libraries() -> dict[str, bool]:
    """Whether the driver's libraries load; containers bring those for video only when told to."""
    loads = {}
    for library in _LIBRARIES:
        try:
            ctypes.CDLL(library)
            loads[library] = True
        except OSError:
            loads[library] = False
    return loads
