"""The supervisor's side of one worker: the process, the pipe to it, and the job that it is on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from aucli.inference.watch import Limits, Watch

_TERMINATE_SECONDS = 2.0
_KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Task:
    """One video for a worker.

    video: its name, for events. payload: what the processor gets; pickled. weight: a guess of the
    work in it (bytes, seconds); heavier tasks start first, so that no long one is left over at the end.
    """

    video: str
    payload: Any
    weight: float = 0.0


@dataclass
class Job:
    """A task on its way, and how many workers died on it."""

    task: Task
    deaths: int = 0


@dataclass
class Place:
    """What a worker is started with, kept for its replacement."""

    setup: str
    kwargs: Mapping[str, Any]
    environment: Mapping[str, str]
    failed_starts: int = 0


class WorkerProcess:
    """A running worker; `job` is what it is on, or gets as soon as it is ready."""

    def __init__(self, place: Place, job: Job | None, limits: Limits) -> None:
        self.place = place
        self.job = job
        self.is_ready = False
        ours, theirs = socket.socketpair()
        parent_fd, self._alive_fd = os.pipe()  # nothing is ever written: its end is the message
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _command(theirs.fileno(), parent_fd)],
                pass_fds=(theirs.fileno(), parent_fd),
                env={**os.environ, **place.environment},
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a codec prints must not get between our own output
            )
        finally:
            theirs.close()
            os.close(parent_fd)
        self.connection = Connection(ours.detach())
        self.watch = Watch(limits, self._process.pid)
        self._send((place.setup, dict(place.kwargs)))

    def give(self, job: Job | None) -> None:
        """Hand it a job, or note that there is none."""
        self.job = job
        self.watch.heard()
        if job is not None:
            self._send(job.task.payload)

    def _send(self, message: Any) -> None:
        with suppress(ConnectionError):  # it died just now: the next `receive` tells
            self.connection.send(message)

    def receive(self) -> tuple[Any, ...]:
        """The next message; ("lost", how) when the process is dead, also in the middle of a message."""
        try:
            message: tuple[Any, ...] = self.connection.recv()
        except (EOFError, OSError):
            return "lost", self._how_it_ended()
        self.watch.heard()
        return message

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=_TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def terminate(self) -> None:
        """Ask the process to end, without waiting."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process whatever state it is in, without waiting."""
        self._process.kill()

    def end(self) -> None:
        """End the process if it still runs, wait for it, and close the pipes."""
        self._process.terminate()
        try:
            self._process.wait(timeout=_TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):  # stuck in the system, on a disk that does not answer
                self._process.wait(timeout=_KILL_SECONDS)
        self.connection.close()
        with suppress(OSError):  # closed before
            os.close(self._alive_fd)


def _command(connection_fd: int, parent_fd: int) -> str:
    return (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from aucli.inference.worker_main import main; main({connection_fd}, {parent_fd})"
    )
