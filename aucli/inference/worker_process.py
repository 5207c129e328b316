"""The supervisor's side of one worker: the process, the pipe to it, and the jobs that it is on."""

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

from aucli.inference.watch import Limits, Silence, too_large

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
    """A task on its way. deaths: workers that died on it alone. alone: a worker died on it and others, so it
    is to be known whether it was this one.
    """

    task: Task
    deaths: int = 0
    alone: bool = False


@dataclass
class Place:
    """What a worker is started with, kept for its replacement."""

    setup: str
    kwargs: Mapping[str, Any]
    environment: Mapping[str, str]
    failed_starts: int = 0


class WorkerProcess:
    """A running worker; first: the job that it gets as soon as it is ready.

    jobs: those that it is on, by their numbers in its messages. at_once: how many it takes.
    """

    def __init__(self, place: Place, first: Job | None, limits: Limits) -> None:
        self.place = place
        self.first = first
        self.jobs: dict[int, Job] = {}
        self.at_once = 1
        self.is_ready = False
        self._limits = limits
        self._given = 0
        self._silences: dict[int, Silence] = {}
        self._start = Silence(limits.start_seconds)
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
        self._send((place.setup, dict(place.kwargs)))

    @property
    def is_idle(self) -> bool:
        return self.is_ready and not self.jobs

    @property
    def load(self) -> int:
        """Jobs that it has, or gets as soon as it is ready."""
        return len(self.jobs) + (self.first is not None)

    @property
    def weight(self) -> float:
        """Of the jobs that it has."""
        return sum(job.task.weight for job in self.jobs.values())

    @property
    def has_room(self) -> bool:
        """Whether it can be given one more job now."""
        alone = any(job.alone for job in self.jobs.values())
        return self.is_ready and len(self.jobs) < (1 if alone else self.at_once)

    def give(self, job: Job) -> None:
        """Hand it a job."""
        self._given += 1
        self.jobs[self._given] = job
        self._silences[self._given] = Silence(self._limits.stall_seconds)
        self._send((self._given, job.task.payload))

    def heard(self, number: int) -> None:
        """A job goes on."""
        self._silences[number].heard()

    def take(self, number: int) -> Job:
        """A job that it is done with."""
        del self._silences[number]
        return self.jobs.pop(number)

    def is_late(self, seconds: float) -> bool:
        """Whether it takes too long to get ready; seconds: since the last look."""
        return self._start.look(seconds)

    def silent(self, seconds: float) -> list[Job]:
        """If nothing was heard of a job for too long: it, and those that may hang with it; else none.

        seconds: since the last look.
        """
        if not any([silence.look(seconds) for silence in self._silences.values()]):  # a list: look at all
            return []
        return [self.jobs[number] for number, silence in self._silences.items() if silence.is_half_over]

    def too_large(self) -> str | None:
        """Why it has to be ended for the memory that it takes now, or None."""
        return too_large(self._limits, self._process.pid)

    def _send(self, message: Any) -> None:
        with suppress(ConnectionError):  # it died just now: the next `receive` tells
            self.connection.send(message)

    def receive(self) -> tuple[Any, ...]:
        """The next message; ("lost", how) when the process is dead, also in the middle of a message."""
        try:
            message: tuple[Any, ...] = self.connection.recv()
        except (EOFError, OSError):
            return "lost", self._how_it_ended()
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
