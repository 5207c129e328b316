"""What a container or batch system lets this process use: the limits of its Linux control groups.

Python's own counts of cores and memory are those of the whole machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_MEMBERSHIP = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_NO_LIMIT_BYTES = 2**60  # version 1 writes "no limit" as a number near 2**63


def cpu_quota(membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> float | None:
    """Cores' worth of time that this process may use (1.5: three half cores), None without a limit.

    membership, mount: where the system describes its groups.
    """
    quotas = []
    for folder in _folders("cpu", membership, mount):
        both = _words(folder / "cpu.max")  # version 2
        if not both:
            both = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
        if len(both) == 2 and both[0] not in ("max", "-1"):
            quotas.append(int(both[0]) / int(both[1]))
    return min(quotas, default=None)


def memory_limit_bytes(membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> int | None:
    """Bytes of memory that this process and those beside it may use, None without a limit."""
    limits = []
    for folder in _folders("memory", membership, mount):
        words = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes")
        if words and words[0] != "max" and int(words[0]) < _NO_LIMIT_BYTES:
            limits.append(int(words[0]))
    return min(limits, default=None)


def _folders(controller: str, membership: Path, mount: Path) -> Iterator[Path]:
    """The group of this process and those around it, of version 2 and of version 1."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # another system
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = mount / controller if controllers else mount
        group = PurePosixPath(path.lstrip("/"))
        # A container often sees its own group as the root, under whatever path the host gave it.
        yield from (root / part for part in (group, *group.parents))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
