"""What runs inside a Dask worker: one video at a time, in a process of its own, then its part to the others.

The process of its own is that of a run on one machine (`supervisor`): a crash in a codec ends one video and
not the worker. Rows are spooled on the worker's own disk; only the finished part goes to the shared one.
"""

from __future__ import annotations

import pickle
import shutil
import tempfile
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distributed import get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from aucli import __version__
from aucli.errors import AucliError, OutputError
from aucli.inference.devices import resolve_device
from aucli.inference.environment import worker_environment
from aucli.inference.supervisor import StandingWorker, Task
from aucli.inference.task import VideoTask
from aucli.inference.watch import Limits, usual_memory_bytes
from aucli.media.remote import Storage
from aucli.sinks.atomic import atomic_file
from aucli.sinks.report import ReportEntry
from aucli.zoo.catalogue import find

RESOURCE = "aucli"  # of Dask: each worker has one, each video takes one
_REST_SECONDS = 60.0


@dataclass(frozen=True)
class WorkerFacts:
    """What a run has to know of a Dask worker. sha256: of the model's weights there."""

    version: str
    device: str
    threads: int
    sha256: str | None


def worker_facts(model: str, device: str, dask_worker: Any) -> WorkerFacts | AucliError:
    """For `Client.run`, which names the worker. Gives the error where model or device are not there."""
    try:
        sha256 = find(model).card.sha256
        return WorkerFacts(__version__, resolve_device(device)[0], int(dask_worker.state.nthreads), sha256)
    except AucliError as error:
        return error


# Dask takes no plugin of another class. To mypy the class is Any, as the extra need not be installed.
class VideoWorker(WorkerPlugin):  # type: ignore[misc]
    """Lives in each Dask worker for one run, also in those that join later.

    topic: of the run's events. setup, settings, limits: as for `run_on_devices`; device: as the user gave it.
    """

    def __init__(
        self, topic: str, setup: str, settings: Mapping[str, Any], device: str, limits: Limits | None
    ) -> None:
        self.topic = topic
        self._setup = setup
        self._settings = dict(settings)
        self._device = device
        self._limits = limits
        self._standing: StandingWorker | None = None
        self._timer: threading.Timer | None = None

    async def setup(self, worker: Any) -> None:
        self._worker = worker
        await worker.set_resources(**{RESOURCE: 1})

    def teardown(self, worker: Any) -> None:
        self._cancel_rest()
        if self._standing is not None:
            self._standing.stop()

    def process(self, task: Task) -> Any:
        """One video; its part stands under its final name when this returns."""
        self._cancel_rest()
        if self._standing is None:
            device = resolve_device(self._device)[0]
            threads = int(self._worker.state.nthreads)
            self._standing = StandingWorker(
                self._setup,
                self._settings | {"device": device, "threads": threads, "worker": 0},
                worker_environment(device),
                self._limits_here(),
            )
        video: VideoTask = task.payload
        if video.part_url is None:
            self._check_shared(video.part_path.parent)
        with tempfile.TemporaryDirectory(prefix="aucli-", dir=self._worker.local_directory) as folder:
            here = replace(
                video,
                spool_path=Path(folder) / video.spool_path.name,
                part_path=Path(folder) / video.part_path.name,
            )
            outcome = self._standing.run(replace(task, payload=here), self._send)
            if isinstance(outcome, ReportEntry) and outcome.rows:
                if video.part_url is None:
                    publish(here.part_path, video.part_path)
                else:
                    Storage(video.part_url).put(here.part_path)
        # Should the run never say that it is over, the device is free again after a while.
        self._timer = threading.Timer(_REST_SECONDS, self._standing.rest)
        self._timer.daemon = True
        self._timer.start()
        return outcome

    def _limits_here(self) -> Limits | None:
        if self._limits is None or self._limits.memory_bytes is not None:
            return self._limits
        return replace(self._limits, memory_bytes=usual_memory_bytes())

    def _send(self, event: Any) -> None:
        self._worker.log_event(self.topic, pickle.dumps(event))

    def _check_shared(self, folder: Path) -> None:
        if not folder.is_dir():
            raise OutputError(
                f"{folder} is not there on worker {self._worker.address}: the output must lie on storage "
                "that all workers reach under the same path"
            )

    def _cancel_rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def run_video(plugin: str, task: Task) -> Any:
    """The task of one video, for `Client.submit`."""
    return get_worker().plugins[plugin].process(task)


def publish(local: Path, path: Path) -> None:
    """Copy a finished part to where all see it, whole or not at all.

    Two workers may do so at once, where one was believed lost: each under a name of its own until the end.

    Raises:
        OutputError: it cannot be written.
    """
    own = path.with_name(f"{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    with atomic_file(own) as to, local.open("rb") as source:
        shutil.copyfileobj(source, to, 1 << 20)
    own.replace(path)
