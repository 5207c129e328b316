"""What a video may take of its worker: time without progress, and memory.

A video is decoded in a process that is not the run's, so a codec that crashes ends one video. One that hangs,
or asks for all the memory there is, must not end the others either: the supervisor looks at its workers once
a second and ends the one that goes too far. It looks at resident memory, because a limit that the system
enforces (RLIMIT_AS) counts the address space, of which CUDA reserves more than any machine has.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from aucli.inference.limits import memory_limit_bytes

LOOK_SECONDS = 1.0
START_SECONDS = 1800.0
"""For a worker to get ready: libraries for a GPU from a cold network drive take minutes."""
_SHARE_OF_MEMORY = 0.75


@dataclass(frozen=True)
class Limits:
    """None: no limit.

    stall_seconds: how long a task may be in work without a message that it goes on, to within 2 seconds.
    memory_bytes: resident memory of one worker; where the system does not tell (not Linux), it has no effect.
    start_seconds: how long a worker may take to get ready; else it counts as one that died while it started.
    """

    stall_seconds: float | None = None
    memory_bytes: int | None = None
    start_seconds: float | None = None


class Silence:
    """How long a task, or a worker that starts, has said nothing. limit_seconds: None for no limit."""

    def __init__(self, limit_seconds: float | None) -> None:
        self._limit_seconds = limit_seconds
        self._seconds = 0.0

    def heard(self) -> None:
        """It has said something."""
        self._seconds = 0.0

    @property
    def is_half_over(self) -> bool:
        """Whether half the time that it may last is over."""
        return self._limit_seconds is not None and self._seconds >= self._limit_seconds / 2

    def look(self, seconds: float) -> bool:
        """Whether it has lasted too long.

        seconds: since the last look. Long ones count as two looks: it was this process that stood still
        (Ctrl-Z, a slow disk), and its workers with it.
        """
        self._seconds += min(seconds, 2 * LOOK_SECONDS)
        return self._limit_seconds is not None and self._seconds >= self._limit_seconds


def stalled(limits: Limits) -> str:
    """Why a task with too long a silence was given up."""
    return (
        f"no progress for {limits.stall_seconds:g} seconds, so its worker was ended: either the decoder "
        "hangs on a damaged file, or the disk does not answer; if it is only slow, give more --stall-seconds"
    )


def too_large(limits: Limits, pid: int) -> str | None:
    """Why a worker has to be ended for the memory that it takes now, or None."""
    memory = limits.memory_bytes
    taken = resident_bytes(pid) if memory is not None else 0
    if memory is None or taken <= memory:
        return None
    return (
        f"its worker took {taken / 1e9:.1f} GB of memory, more than {memory / 1e9:.1f} GB, and was "
        "ended: give more --worker-memory if the machine has it and the video needs it"
    )


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM, 0 where the system does not tell or the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def usual_memory_bytes() -> int:
    """The default for one worker: three quarters of what the machine has or its container may take."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(_SHARE_OF_MEMORY * min(whole, memory_limit_bytes() or whole))
