"""`--engine dask`: the videos of a run on the workers of a Dask cluster, one worker per device.

Dask says who is there and runs what a lost node had on another one; which video goes next, what is recorded
and the merge are those of a run on one machine. Workers read the inputs and write the parts by the same
paths as this process, so both lie on storage that all share.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import tempfile
import uuid
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from aucli import __version__
from aucli.config import ExtractConfig
from aucli.errors import AucliError, MissingDependencyError, UsageError, WorkerError
from aucli.inference.devices import WorkerPlan, plan_workers, resolve_device
from aucli.inference.events import EventHook, VideoProgress, VideoStarted, WorkerLost
from aucli.inference.supervisor import Outcome, Task, TaskFailure
from aucli.inference.watch import Limits
from aucli.sinks.report import ReportEntry
from aucli.zoo.catalogue import find

ENGINES = ("local", "dask")
_CONNECT_SECONDS = 10
_JOIN_SECONDS = 60
_IN_FLIGHT = 2  # videos per worker that Dask knows of: one in work, one next
_RESUBMISSIONS = 3


@contextmanager
def cluster_for(engine: str, scheduler: str | None, config: ExtractConfig) -> Iterator[Cluster | None]:
    """The Dask cluster of a run; None for the engine `local`, which needs none.

    scheduler: address of one that runs; None for a cluster on this machine, which ends with the block.

    Raises:
        UsageError: no such engine, options that do not go together, no scheduler there, no worker, or
            workers that differ in their device or their model.
        MissingDependencyError: Dask is not installed.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine!r}: choose one of {', '.join(ENGINES)}")
    if engine == "local":
        if scheduler is not None:
            raise UsageError(f"--scheduler {scheduler}: is for --engine dask; add that or leave it out")
        yield None
        return
    if config.segment_minutes is not None:
        raise UsageError(
            f"--segment {config.segment_minutes:g}: is for --engine local; leave it out, or run one "
            "--shard I/N per machine with it"
        )
    if config.device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {config.device}: with --engine dask it is auto, cpu or cuda; which GPU a worker has "
            "says the variable CUDA_VISIBLE_DEVICES that it is started with"
        )
    if config.in_flight is not None:
        raise UsageError(
            f"--in-flight {config.in_flight}: is for --engine local; a Dask worker has one video at a time, "
            "so start more workers for each GPU"
        )
    if scheduler is not None and config.jobs is not None:
        raise UsageError(f"--jobs {config.jobs}: a cluster has as many processes as workers; leave it out")
    try:
        import distributed
    except ImportError as error:
        raise MissingDependencyError("--engine dask needs Dask: pip install 'aucli[dask]'") from error
    # What goes wrong is said by our own messages; Dask's would get between them.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with _local_cluster(config) if scheduler is None else _given(scheduler) as address:
        try:
            client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            raise UsageError(
                f"--scheduler {scheduler}: no Dask scheduler can be reached there; start one with "
                "`dask scheduler`, it prints its address, like tcp://10.0.0.1:8786"
            ) from error
        with client:
            yield Cluster(client, config)


@contextmanager
def _given(scheduler: str) -> Iterator[str]:
    yield scheduler


@contextmanager
def _local_cluster(config: ExtractConfig) -> Iterator[str]:
    """A worker per device of this machine; gives the scheduler's address."""
    from distributed import Nanny, Scheduler, SpecCluster

    plans = plan_workers(resolve_device(config.device), config.jobs, 1 << 20)
    with tempfile.TemporaryDirectory(prefix="aucli-dask-", ignore_cleanup_errors=True) as folder:
        workers = {
            number: {
                "cls": Nanny,
                "options": {
                    "nthreads": plan.threads,
                    "memory_limit": 0,
                    "host": "127.0.0.1",
                    "local_directory": folder,
                    "silence_logs": logging.CRITICAL,
                    "env": _only_device(plan.device),
                },
            }
            for number, plan in enumerate(plans)
        }
        scheduler = {
            "cls": Scheduler,
            "options": {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": None},
        }
        with SpecCluster(workers, scheduler, silence_logs=logging.CRITICAL) as cluster:
            yield cluster.scheduler_address


def _only_device(device: str) -> dict[str, str]:
    """The variable that lets a process see this GPU alone, as its first."""
    if device == "cpu":
        return {}
    index = int(device.partition(":")[2])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"CUDA_VISIBLE_DEVICES": visible.split(",")[index] if visible else str(index)}


class Cluster:
    """The workers that are there, and a way to run videos on them; see `cluster_for`."""

    def __init__(self, client: Any, config: ExtractConfig) -> None:
        self._client = client
        self._config = config
        self.workers = self._plan_workers()

    def run_tasks(
        self,
        tasks: Sequence[Task],
        setup: str,
        *,
        on_event: EventHook,
        limits: Limits | None = None,
        **settings: Any,
    ) -> Generator[Outcome, None, None]:
        """As `run_on_devices`; a video whose worker is lost goes to another, also to one that joins later.

        Raises:
            AucliError: see `run_on_devices`.
            WorkerError: the scheduler is gone.
        """
        device = self._config.device
        run = _Run(self._client, tasks, setup, settings, device=device, limits=limits, on_event=on_event)
        try:
            yield from run.outcomes()
        finally:
            run.close()

    def _plan_workers(self) -> tuple[WorkerPlan, ...]:
        from aucli.inference.cluster_worker import WorkerFacts, worker_facts

        where = self._client.scheduler.address
        try:
            self._client.wait_for_workers(1, timeout=_JOIN_SECONDS)
        except TimeoutError as error:
            raise UsageError(
                f"no worker has joined the scheduler at {where} for {_JOIN_SECONDS} s: start one per device "
                f"with `dask worker {where}`"
            ) from error
        found = self._client.run(
            worker_facts, absolute_model(self._config.model), self._config.device, on_error="return"
        )
        ours = find(self._config.model).card.sha256
        for address, facts in found.items():
            if isinstance(facts, AucliError):
                raise type(facts)(f"worker {address}: {facts}")
            if not isinstance(facts, WorkerFacts):
                raise UsageError(
                    f"worker {address} cannot run aucli ({type(facts).__name__}: {facts}): "
                    "install the same version there"
                )
            if facts.version != __version__:
                raise UsageError(
                    f"worker {address} has aucli {facts.version}, here it is {__version__}: "
                    "install the same version there"
                )
            if facts.sha256 != ours:
                raise UsageError(
                    f"worker {address} has another model under the name {self._config.model}: "
                    "give the path of a file on shared storage, or install it there again"
                )
        plans = tuple(WorkerPlan(facts.device, facts.threads) for facts in found.values())
        kinds = sorted({plan.device.partition(":")[0] for plan in plans})
        if len(kinds) > 1:
            raise UsageError(
                f"some workers have {' and some '.join(kinds)}, which do not give the same numbers: add "
                "--device cpu or --device cuda, and start workers of that kind only"
            )
        return plans


class _Run:
    """Videos on their way through the cluster."""

    def __init__(
        self,
        client: Any,
        tasks: Sequence[Task],
        setup: str,
        settings: dict[str, Any],
        *,
        device: str,
        limits: Limits | None,
        on_event: EventHook,
    ) -> None:
        from aucli.inference.cluster_worker import VideoWorker

        self._client = client
        self._on_event = on_event
        self._name = f"aucli-{uuid.uuid4().hex[:12]}"
        self._waiting = deque(sorted(tasks, key=lambda task: -task.weight))
        self._tasks: dict[str, Task] = {}  # by Dask's key: what it knows of
        self._futures: dict[str, Any] = {}
        self._killed: Counter[str] = Counter()
        # Dask calls back in threads of its own; everything is done in the thread of the caller.
        self._messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        config = settings.get("config")
        if isinstance(config, ExtractConfig):
            settings = settings | {"config": replace(config, model=absolute_model(config.model))}
        client.subscribe_topic(self._name, lambda event: self._messages.put(("event", event[1])))
        client.subscribe_topic("all", lambda event: self._messages.put(("cluster", event[1])))
        client.register_plugin(VideoWorker(self._name, setup, settings, device, limits), self._name)

    def outcomes(self) -> Generator[Outcome, None, None]:
        self._top_up()
        while self._tasks:
            kind, message = self._messages.get()
            if kind == "event":
                self._pass_on(pickle.loads(message))  # from our own workers, as all that Dask moves
            elif kind == "cluster":
                self._watch(message)
            else:
                outcome = self._finish(*message)
                self._top_up()
                if outcome is not None:
                    yield outcome

    def close(self) -> None:
        with suppress(Exception):  # the scheduler may be gone; then there is nothing to end
            self._client.cancel(list(self._futures.values()), force=True)
            self._client.unsubscribe_topic(self._name)
            self._client.unsubscribe_topic("all")
            self._client.unregister_worker_plugin(self._name)

    def _top_up(self) -> None:
        """Keep every worker busy. Not all at once: a lost worker counts against all that wait there."""
        places = _IN_FLIGHT * max(len(self._client.nthreads()), 1)
        while self._waiting and len(self._tasks) < places:
            self._submit(self._waiting.popleft())

    def _submit(self, task: Task) -> None:
        from aucli.inference.cluster_worker import RESOURCE, run_video

        key = f"{self._name}-{uuid.uuid4().hex}"
        self._tasks[key] = task
        future = self._client.submit(
            run_video, self._name, _absolute(task), key=key, pure=False, resources={RESOURCE: 1}
        )
        self._futures[key] = future
        future.add_done_callback(self._fetch)

    def _fetch(self, future: Any) -> None:
        """In a thread of Dask's: it waits while another worker does all again if this one is lost now."""
        result, error = None, None
        try:
            result = future.result()
        except BaseException as raised:  # whatever it is: the run waits for this message
            error = raised
        self._messages.put(("done", (future.key, result, error)))

    def _finish(self, key: str, result: Any, error: BaseException | None) -> Outcome | None:
        from distributed import CancelledError, KilledWorker

        task = self._tasks.pop(key)
        del self._futures[key]
        try:
            if error is not None:
                raise error
        except AucliError:
            raise  # of the set-up, or the output cannot be written: so it is for every other video
        except CancelledError as cancelled:
            raise WorkerError(
                "the Dask scheduler is gone; what is finished is kept: start one and run the same command"
            ) from cancelled
        except KilledWorker:  # Dask gives up; but the video has a process of its own, so it is not to blame
            self._killed[task.video] += 1
            if self._killed[task.video] <= _RESUBMISSIONS:
                self._waiting.appendleft(task)
                return None
            return task, TaskFailure("too many workers were lost while it was in work")
        except Exception as other:
            return task, TaskFailure(f"{type(other).__name__}: {other}".splitlines()[0])
        return task, _as_given(task, result)

    def _pass_on(self, event: Any) -> None:
        """An event of a video that is not over yet: the two ways from a worker to here keep no order."""
        if not isinstance(event, VideoStarted | VideoProgress | WorkerLost) or any(
            task.video == event.video for task in self._tasks.values()
        ):
            self._on_event(event)

    def _watch(self, message: Any) -> None:
        if not isinstance(message, dict):
            return
        if message.get("action") == "add-worker":
            self._top_up()
        elif message.get("action") == "remove-worker":
            # What it had finished is done again too when it died before its result was fetched.
            for key in {*message.get("processing-tasks", ()), *message.get("lost-computed-tasks", ())}:
                if key in self._tasks:
                    lost = f"worker {message.get('worker')} is lost"
                    self._on_event(WorkerLost(self._tasks[key].video, lost, retry=True))


def absolute_model(model: str) -> str:
    """The name of a model, or its file's path as it is understood in every folder."""
    return str(Path(model).absolute()) if Path(model).is_file() else model


def _absolute(task: Task) -> Task:
    """The task with paths that mean the same in a process that runs in another folder."""
    video = task.payload
    return replace(
        task,
        payload=replace(
            video,
            source=replace(video.source, path=video.source.path.absolute()),
            spool_path=video.spool_path.absolute(),
            part_path=video.part_path.absolute(),
        ),
    )


def _as_given(task: Task, result: Any) -> Any:
    """The result with the path as the user gave it, as on one machine."""
    source = task.payload.source
    given, absolute = source.location, source.location if source.remote else str(source.path.absolute())
    if isinstance(result, ReportEntry):
        reason = None if result.reason is None else result.reason.replace(absolute, given)
        return replace(result, path=given, reason=reason)
    if isinstance(result, TaskFailure):
        return replace(result, reason=result.reason.replace(absolute, given))
    return result
