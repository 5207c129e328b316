"""A real Dask cluster on this machine: a scheduler and workers, each a process as on a node of its own."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

_MODULE = "distributed.cli.dask_"


@contextmanager
def cluster(folder, workers):
    """Gives the scheduler's address and the workers' processes; all are gone afterwards."""
    processes = []
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}

    def start(program, *arguments):
        command = [sys.executable, "-m", f"{_MODULE}{program}", *arguments]
        with (folder / f"{program}{len(processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
        processes.append(process)
        return process

    try:
        file = folder / "scheduler.json"
        start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)
        )
        deadline = time.monotonic() + 120
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = _address(file)
        nodes = [
            start(
                "worker",
                address,
                "--no-nanny",
                "--nthreads",
                "1",
                "--no-dashboard",
                "--name",
                f"node{number}",
            )
            for number in range(workers)
        ]
        yield address, nodes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _address(file):
    import json

    while True:
        try:
            return json.loads(file.read_text())["address"]
        except ValueError:  # not yet whole
            time.sleep(0.05)
