"""Puts threads that a library has made real-time ones back among the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def ordinary_threads() -> Iterator[None]:
    """Threads of this process that become real-time inside are ordinary again afterwards; Linux only.

    SVT-AV1 does that to its threads and to the one that opens it wherever the system lets it, as it does
    root, and so in most containers: nobody else gets a core before they wait, and later threads and processes
    inherit it.
    """
    before = _real_time()
    try:
        yield
    finally:
        for thread in _real_time() - before:
            with suppress(OSError):  # it has ended meanwhile
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time() -> set[int]:
    """The threads of this process that are scheduled before all others."""
    found: set[int] = set()
    if sys.platform != "linux":
        return found
    for thread in (int(task.name) for task in _TASKS.iterdir()):
        with suppress(OSError):
            if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(thread)
    return found
