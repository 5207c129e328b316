"""Many videos, or segments of long ones, on several worker processes: from one queue, longest first.

The standard library's pools hang or lose work when a worker is killed (`multiprocessing.Pool` waits for
ever, `ProcessPoolExecutor` fails all that is left), so this module owns its processes and a pipe to each.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, NoReturn, Protocol

from aucli.errors import AucliError, OutputError, WorkerError
from aucli.inference.events import Event, EventHook, WorkerLost
from aucli.inference.watch import LOOK_SECONDS, Limits, stalled
from aucli.inference.worker_main import SUPERVISOR_SIGNALS
from aucli.inference.worker_process import Job, Place, Task, WorkerProcess

__all__ = ["StandingWorker", "Task", "TaskFailure", "Todo", "run_tasks", "stop_on_sigterm"]

_STARTS = 2  # a worker that dies twice in a row while it starts will not start


@dataclass(frozen=True)
class TaskFailure:
    """Why a task has no result. details: the worker's traceback, empty when the worker died."""

    reason: str
    details: str = ""


Outcome = tuple[Task, Any | TaskFailure]


class Todo(Protocol):
    """What is still to do in a run, for whoever has seen an outcome."""

    def add(self, task: Task) -> None:
        """One more task."""

    def drop(self, task: Task) -> bool:
        """Do not do this one, of which there will be no outcome; False when a worker has it already."""


Settle = Callable[[Task, Any | TaskFailure, Todo], bool]


def run_tasks(
    tasks: Sequence[Task],
    *,
    setup: str,
    setup_kwargs: Sequence[Mapping[str, Any]],
    on_event: EventHook,
    retries: int = 1,
    environments: Sequence[Mapping[str, str]] | None = None,
    limits: Limits | None = None,
    settle: Settle | None = None,
) -> Generator[Outcome, None, None]:
    """Run all tasks, one process per entry of `setup_kwargs`, and yield results as they come.

    setup: `module:function`, called once in each worker with its keyword arguments; returns the
        processor (see `worker_main.Processor`). Modules are found on this process's `sys.path`.
    on_event: gets what processors send, and `WorkerLost`; called in this process, between results.
    retries: how often a task goes to a fresh worker after its worker died. Where several tasks were with the
        worker (see `worker_main.Processor`), each of them is first done once more by itself.
    environments: per worker, variables added to this process's (`OMP_NUM_THREADS`, ...).
    limits: of each task; a worker that goes beyond them is ended and its task fails, without a retry.
    settle: asked of each outcome whether it is to be yielded; may change what is still to do.

    A task that raises, or whose workers died, becomes a `TaskFailure`; the others go on. Wrap the
    iterator in `contextlib.closing`: whenever it is closed, also by an interrupt, all workers are
    ended and waited for. Should this process be killed, they end themselves.

    Raises:
        AucliError: what the set-up raised, with its class and message.
        WorkerError: the set-up raised something else, or its process died twice.
        OutputError: a processor could not write the output; it could not for another video either.
    """
    crew = _Crew(tasks, on_event, retries, limits or Limits())
    settle = settle or (lambda task, outcome, todo: True)
    environments = environments or [{}] * len(setup_kwargs)
    try:
        for kwargs, environment in list(zip(setup_kwargs, environments, strict=True))[: len(tasks)]:
            crew.start(Place(setup, kwargs, environment), None)
        while crew.is_busy:
            for worker in crew.wait():
                for outcome in crew.handle(worker, worker.receive()):
                    if settle(*outcome, crew):
                        yield outcome
            for outcome in crew.end_those_beyond_limits():
                if settle(*outcome, crew):
                    yield outcome
    finally:
        crew.close()


@contextmanager
def stop_on_sigterm() -> Iterator[None]:
    """Inside, SIGTERM raises SystemExit(143), so that workers are ended and files closed as on Ctrl-C.

    For the command line; to be entered in the main thread.
    """

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Crew:
    """The queue and the workers on it."""

    def __init__(self, tasks: Sequence[Task], on_event: EventHook, retries: int, limits: Limits) -> None:
        self._queue = deque(Job(task) for task in sorted(tasks, key=lambda task: -task.weight))
        self._workers: list[WorkerProcess] = []
        self._left: list[Place] = []  # of workers that ended when there was nothing more to do
        self._on_event = on_event
        self._retries = retries
        self._limits = limits
        self._looked = time.monotonic()

    @property
    def is_busy(self) -> bool:
        return bool(self._queue) or any(worker.load for worker in self._workers)

    def start(self, place: Place, job: Job | None) -> None:
        # An interrupt has to wait until the worker is in the list, else it would be left behind. The
        # worker inherits the block and lifts it once it has decided what the signals mean to it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SUPERVISOR_SIGNALS)
        try:
            self._workers.append(WorkerProcess(place, job, self._limits))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def add(self, task: Task) -> None:
        """One more task, for a worker that has room, else for one that ended; else it waits for its turn."""
        heavier = sum(other.task.weight >= task.weight for other in self._queue)
        self._queue.insert(heavier, Job(task))
        self._deal()
        if self._left and self._queue and not any(worker.is_idle for worker in self._workers):
            self.start(self._left.pop(), self._queue.popleft())

    def drop(self, task: Task) -> bool:
        """See `Todo`."""
        job = next((job for job in self._queue if job.task is task), None)
        if job is not None:
            self._queue.remove(job)
        return job is not None

    def give(self, task: Task, place: Place) -> None:
        """A task for the worker that waits, else for a new one."""
        idle = next((worker for worker in self._workers if worker.is_idle), None)
        if idle is None:
            self.start(place, Job(task))
        else:
            idle.give(Job(task))

    def stop(self) -> None:
        """Ask all workers to end, without waiting; from any thread."""
        for worker in self._workers:
            worker.terminate()

    def wait(self) -> list[WorkerProcess]:
        """The workers that have something to say, as soon as there is one; none when it is time to look."""
        timeout = None if self._limits == Limits() else LOOK_SECONDS
        ready = wait([worker.connection for worker in self._workers], timeout)
        return [worker for worker in self._workers if worker.connection in ready]

    def handle(self, worker: WorkerProcess, message: tuple[Any, ...]) -> Iterator[Outcome]:
        """Act on one message; gives the outcomes of tasks that it decides."""
        match message:
            case ("event", number, event):
                worker.heard(number)
                self._on_event(event)
            case ("ready", at_once):
                worker.is_ready, worker.at_once = True, at_once
                worker.place.failed_starts = 0
                first, worker.first = worker.first, None
                if first is not None:
                    worker.give(first)
                self._deal()
            case ("setup_failed", kind, text, details):
                _raise_again(kind or WorkerError, text, details)
            case ("lost", how) if not worker.is_ready:
                self._start_again(worker, how)
            case ("lost", how):
                yield from self._lost(worker, how)
            case ("result", number, result):
                job = worker.take(number)
                self._deal()
                yield job.task, result
            case ("error", number, kind, text, details):
                job = worker.take(number)
                if kind is None:  # not foreseen: it has ended itself, see `worker_main`
                    self._replace(worker, list(worker.jobs.values()))
                elif issubclass(kind, OutputError):
                    _raise_again(kind, text, details)
                else:
                    self._deal()
                yield job.task, TaskFailure(text, details)

    def end_those_beyond_limits(self) -> Iterator[Outcome]:
        """End workers that hang or take too much memory; gives the outcomes of their tasks.

        Raises:
            WorkerError: a worker did not get ready in time, twice.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        seconds, self._looked = now - self._looked, now
        for worker in list(self._workers):
            if not worker.is_ready:
                if worker.is_late(seconds) and not worker.connection.poll():
                    worker.kill()
                    self._start_again(worker, f"not ready after {self._limits.start_seconds:g} seconds")
                continue
            silent = worker.silent(seconds)
            why = stalled(self._limits) if silent else worker.too_large() if worker.jobs else None
            if why is None or worker.connection.poll():  # it has just said something
                continue
            worker.kill()
            jobs = list(worker.jobs.values())
            blamed = jobs if len(jobs) == 1 else silent
            if len(blamed) != 1:  # any of them may be the one
                self._each_alone(worker, why)
                continue
            self._on_event(WorkerLost(blamed[0].task.video, why, retry=False))
            self._replace(worker, [job for job in jobs if job is not blamed[0]])
            yield blamed[0].task, TaskFailure(why)

    def close(self) -> None:
        self.stop()
        for worker in self._workers:
            worker.end()

    def _deal(self) -> None:
        """Give out what there is room for, each task to who has fewest, and of these the lightest: else the
        first to be ready would have all the longest, and those that still start none.
        """
        starting = [worker.load for worker in self._workers if not worker.is_ready]
        while self._queue:
            most = 1 + min(starting) if starting else sys.maxsize
            free = [worker for worker in self._workers if worker.has_room and worker.load < most]
            worker = min(free, key=lambda worker: (worker.load, worker.weight), default=None)
            if worker is None:
                return
            job = next((job for job in self._queue if not worker.jobs or not job.alone), None)
            if job is None:
                return
            self._queue.remove(job)
            worker.give(job)

    def _replace(self, worker: WorkerProcess, jobs: Sequence[Job]) -> None:
        """A fresh process for the first of these, or for what waits; the others are the next to be done."""
        worker.end()
        self._workers.remove(worker)
        self._queue.extendleft(reversed(jobs))
        if self._queue:
            self.start(worker.place, self._queue.popleft())
        else:
            self._left.append(worker.place)
        self._deal()

    def _each_alone(self, worker: WorkerProcess, how: str) -> None:
        """Have all jobs of a worker that is gone done once more, each by itself."""
        jobs = list(worker.jobs.values())
        for job in jobs:
            job.alone = True
            self._on_event(WorkerLost(job.task.video, how, retry=True))
        self._replace(worker, jobs)

    def _start_again(self, worker: WorkerProcess, how: str) -> None:
        worker.place.failed_starts += 1
        if worker.place.failed_starts == _STARTS:
            raise WorkerError(f"a worker died ({how}) twice while it started{_hint(how)}")
        self._replace(worker, [] if worker.first is None else [worker.first])

    def _lost(self, worker: WorkerProcess, how: str) -> Iterator[Outcome]:
        jobs = list(worker.jobs.values())
        if len(jobs) != 1:  # none, or any of them may be the one that did it
            self._each_alone(worker, how)
            return
        (job,) = jobs
        job.deaths += 1
        job.alone = True
        retry = job.deaths <= self._retries
        self._on_event(WorkerLost(job.task.video, how, retry))
        self._replace(worker, jobs if retry else [])
        if not retry:
            times = {1: "", 2: " twice"}.get(job.deaths, f" {job.deaths} times")
            yield job.task, TaskFailure(f"worker died ({how}){times}{_hint(how)}")


class StandingWorker:
    """One worker process that stays between tasks, which come one after the other, each when it is there.

    setup, settings, limits: as for `run_tasks`. Nothing is started before the first task.
    """

    def __init__(
        self,
        setup: str,
        settings: Mapping[str, Any],
        environment: Mapping[str, str],
        limits: Limits | None = None,
    ) -> None:
        self._place = Place(setup, settings, environment)
        self._limits = limits or Limits()
        self._crew: _Crew | None = None
        self._working = threading.Lock()
        self._is_over = False

    def run(self, task: Task, on_event: EventHook) -> Any | TaskFailure:
        """The task's result, or why it has none; see `run_tasks` for what is tried again.

        Raises:
            AucliError: as `run_tasks`; or `stop` was called.
        """
        with self._working:
            crew = self._crew = self._crew or _Crew([], self._tell, 1, self._limits)
            self._on_event = on_event
            crew.give(task, self._place)
            try:
                while True:
                    for worker in crew.wait():
                        message = worker.receive()
                        if self._is_over:
                            raise WorkerError("the worker was stopped")
                        for _, outcome in crew.handle(worker, message):
                            return outcome
                    for _, failure in crew.end_those_beyond_limits():
                        return failure
            except BaseException:
                self._end()
                raise

    def _tell(self, event: Event) -> None:
        self._on_event(event)

    def rest(self) -> None:
        """End the process, unless it is at work; the next task starts a fresh one."""
        if self._working.acquire(blocking=False):
            self._end()
            self._working.release()

    def stop(self) -> None:
        """End the process, at work or not; there will be no next task."""
        self._is_over = True
        if self._crew is not None:
            self._crew.stop()
        with self._working:
            self._end()

    def _end(self) -> None:
        if self._crew is not None:
            self._crew.close()
        self._crew = None


def _hint(how: str) -> str:
    return ": often too little memory, try fewer --jobs" if how == "signal 9" else ""


def _raise_again(kind: type[AucliError], text: str, details: str) -> NoReturn:
    error = kind(text)
    error.add_note(f"In the worker:\n{details}")
    raise error
