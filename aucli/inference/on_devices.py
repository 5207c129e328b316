"""Tasks on the processes of a plan: each is told its device, its threads and its number."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from aucli.inference.devices import WorkerPlan
from aucli.inference.environment import worker_environment
from aucli.inference.events import EventHook
from aucli.inference.supervisor import Outcome, Settle, Task, run_tasks
from aucli.inference.watch import Limits


def run_on_devices(
    workers: Sequence[WorkerPlan],
    tasks: Sequence[Task],
    setup: str,
    *,
    on_event: EventHook,
    limits: Limits | None = None,
    settle: Settle | None = None,
    **settings: Any,
) -> Generator[Outcome, None, None]:
    """`run_tasks` with as many of these processes as there are tasks for; settings go to every set-up.

    setup: `module:function`; it also gets `device`, `threads` and `worker`. limits, settle: see
        `run_tasks`.

    Raises:
        AucliError: see `run_tasks`.
    """
    workers = workers[: len(tasks)]
    return run_tasks(
        tasks,
        setup=setup,
        setup_kwargs=[
            {**settings, "device": worker.device, "threads": worker.threads, "worker": number}
            for number, worker in enumerate(workers)
        ],
        on_event=on_event,
        limits=limits,
        settle=settle,
        environments=[worker_environment(worker.device) for worker in workers],
    )
