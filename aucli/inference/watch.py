"""What one video may take of its worker: time without progress, and memory.

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

    stall_seconds: how long a worker may be on a task without a message that it goes on, to within 2 seconds.
    memory_bytes: resident memory of one worker; where the system does not tell (not Linux), it has no effect.
    start_seconds: how long a worker may take to get ready; else it counts as one that died while it started.
    """

    stall_seconds: float | None = None
    memory_bytes: int | None = None
    start_seconds: float | None = None


class Watch:
    """Keeps an eye on one worker process."""

    def __init__(self, limits: Limits, pid: int) -> None:
        self._limits = limits
        self._pid = pid
        self._silent_seconds = 0.0

    def heard(self) -> None:
        """To be called when the worker says something, and when it gets a task."""
        self._silent_seconds = 0.0

    def look_at_start(self, seconds: float) -> str | None:
        """The same for a worker that is not ready yet."""
        self._silent_seconds += min(seconds, 2 * LOOK_SECONDS)
        limit = self._limits.start_seconds
        if limit is None or self._silent_seconds < limit:
            return None
        return f"not ready after {limit:g} seconds"

    def look(self, seconds: float) -> str | None:
        """Why the worker has to be ended now, or None.

        seconds: since the last look. Long ones count as two looks: it was this process that stood still
        (Ctrl-Z, a slow disk), and its workers with it.
        """
        self._silent_seconds += min(seconds, 2 * LOOK_SECONDS)
        stall, memory = self._limits.stall_seconds, self._limits.memory_bytes
        if stall is not None and self._silent_seconds >= stall:
            return (
                f"no progress for {stall:g} seconds, so its worker was ended: either the decoder hangs on a "
                "damaged file, or the disk does not answer; if it is only slow, give more --stall-seconds"
            )
        taken = resident_bytes(self._pid) if memory is not None else 0
        if memory is not None and taken > memory:
            return (
                f"its worker took {taken / 1e9:.1f} GB of memory, more than {memory / 1e9:.1f} GB, and was "
                "ended: give more --worker-memory if the machine has it and the video needs it"
            )
        return None


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
