"""Ending the process although threads still compute."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn


def leave_at_once(code: int) -> NoReturn:
    """After an interrupt, and in one of several ranks, all of ours is cleared up, but a library's thread may
    still compute: Python's own ending would now and then abort it, and the exit code be that of a crash.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
