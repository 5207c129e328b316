"""A worker's sign that its video goes on, also while no rows come out of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PULSE_SECONDS = 2.0


@contextmanager
def pulse(done: Callable[[], object], tell: Callable[[], None]) -> Iterator[None]:
    """Inside, call `tell` every two seconds, from a thread, if `done` has another value than before.

    done: how much was done so far, in whatever unit; it has to change as long as there is progress. A jump
    of an hour into a video decodes for minutes without a row: this is what tells it from one that hangs.
    """
    over = threading.Event()

    def beat() -> None:
        before = done()
        while not over.wait(PULSE_SECONDS):
            now = done()
            if now != before:
                tell()
            before = now

    thread = threading.Thread(target=beat, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
