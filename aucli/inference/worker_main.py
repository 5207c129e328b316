"""What runs inside a worker process: one set-up, then tasks one by one or several at a time, until the
supervisor ends.

Started by `aucli.inference.supervisor` as `python -c`, so the user's own script is never imported
again, as it would be under `multiprocessing`'s spawn.
"""

from __future__ import annotations

import importlib
import itertools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from aucli.errors import AucliError
from aucli.inference.events import EventHook

Processor = Callable[[Any, EventHook], Any]
"""What a set-up function returns: takes a task's payload and a way to send events (from any thread),
and gives a result; all of it pickled on the way. With an attribute `tasks_at_once` above 1 it is called for
so many tasks at a time, each in a thread of its own; then one that ends the process ends all of these."""

SUPERVISOR_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(connection_fd: int, parent_fd: int) -> NoReturn:
    """Serve the supervisor at the other end of `connection_fd`; `parent_fd` ends when it does."""
    # Ctrl-C goes to the whole group of processes: the supervisor alone decides what it means. It also
    # starts us with its signals held back, so that none gets lost before this line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SUPERVISOR_SIGNALS)
    for descriptor in (connection_fd, parent_fd):
        os.set_inheritable(descriptor, False)  # else a grandchild would keep the pipes open
    threading.Thread(target=_leave_with_parent, args=(parent_fd,), daemon=True).start()
    with suppress(EOFError, ConnectionError):  # the supervisor is gone
        _serve(Connection(connection_fd))
    sys.stderr.flush()
    os._exit(0)  # no wait for threads of a processor that failed


def _leave_with_parent(parent_fd: int) -> NoReturn:
    """End this process at once, whatever it is doing, when the supervisor's end of the pipe closes."""
    os.read(parent_fd, 1)
    os._exit(1)


def _serve(connection: Connection) -> None:
    lock = threading.Lock()

    def send(*message: Any) -> None:
        with lock:
            connection.send(message)

    setup, kwargs = connection.recv()
    try:
        module, _, function = setup.partition(":")
        processor: Processor = getattr(importlib.import_module(module), function)(**kwargs)
    except Exception as error:  # whatever it is, the supervisor raises it
        send("setup_failed", *_described(error))
        return

    def do(number: int, payload: Any) -> bool:
        """Whether more can follow."""
        try:
            send("result", number, processor(payload, lambda event: send("event", number, event)))
        except Exception as error:  # one bad video never stops a batch: the supervisor reports it
            send("error", number, *_described(error))
            # What nobody foresaw may have left the device unusable: make room for a fresh process.
            return isinstance(error, AucliError)
        return True

    tasks_at_once: int = getattr(processor, "tasks_at_once", 1)
    send("ready", tasks_at_once)
    if tasks_at_once > 1:
        _serve_in_threads(connection, do)
        return
    while do(*connection.recv()):
        pass


def _serve_in_threads(connection: Connection, do: Callable[[int, Any], bool]) -> None:
    """Each task in a thread, whose name begins with the lowest number that is free, see `prefetch`."""
    lock = threading.Lock()
    busy: set[int] = set()

    def run(lane: int, number: int, payload: Any) -> None:
        goes_on = False
        try:
            goes_on = do(number, payload)
        finally:
            if not goes_on:  # also where the supervisor is gone
                sys.stderr.flush()
                os._exit(0)
        with lock:
            busy.remove(lane)

    while True:
        number, payload = connection.recv()
        with lock:
            # The supervisor may have had a result before its lane was free again.
            lane = next(lane for lane in itertools.count(1) if lane not in busy)
            busy.add(lane)
        threading.Thread(target=run, args=(lane, number, payload), name=f"{lane}: task", daemon=True).start()


def _described(error: Exception) -> tuple[type[AucliError] | None, str, str]:
    """Class (ours only: another would make the supervisor import its package), message, traceback."""
    details = traceback.format_exc()
    if isinstance(error, AucliError):
        return type(error), str(error), details
    return None, traceback.format_exception_only(error)[-1].strip().splitlines()[0], details
