"""Processor and memory, as far as this process may use them."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from aucli.inference.devices import available_cores
from aucli.inference.health.finding import Finding
from aucli.inference.limits import cpu_quota, memory_limit_bytes

PROCESS_BYTES = 1_100 * 2**20  # the peak of one process, from benchmarks/results/bench_memory.json


def check_processor() -> list[Finding]:
    usable, there, quota = available_cores(), os.cpu_count() or 1, cpu_quota()
    model = _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()
    text = f"{model}, {usable} of {there} cores usable"
    if quota is not None:
        text += f" (a limit of {quota:g} cores' time is set from outside)"
    details = {"model": model, "cores": there, "usable_cores": usable, "quota_cores": quota}
    return [Finding("devices", "CPU", "ok", text, details=details)]


def check_memory() -> list[Finding]:
    """Memory, and whether it is enough for the processes that `extract` starts on the CPU."""
    meminfo = Path("/proc/meminfo")
    total, available = (_kibibytes(_field(meminfo, name)) for name in ("MemTotal", "MemAvailable"))
    limit = memory_limit_bytes()
    details = {"total_bytes": total, "available_bytes": available, "limit_bytes": limit}
    known = [size for size in (available, limit) if size is not None]
    if total is None or not known:
        return [Finding("devices", "memory", "ok", "size not known on this system", details=details)]
    text = f"{gib(total)}, {gib(available or 0)} of it free"
    if limit is not None and limit < total:
        text += f", limited to {gib(limit)} from outside"
    cores = available_cores()
    room = max(1, min(known) // PROCESS_BYTES)
    if room < cores:
        return [
            Finding(
                "devices",
                "memory",
                "warn",
                f"{text}; the {cores} processes that extract starts on the CPU may take more",
                f"aucli extract --jobs {room}",
                details,
            )
        ]
    return [Finding("devices", "memory", "ok", text, details=details)]


def gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _field(file: Path, name: str) -> str | None:
    """The value after `name :` in one of the system's lists."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return None


def _kibibytes(text: str | None) -> int | None:
    return None if text is None else int(text.split()[0]) * 1024
