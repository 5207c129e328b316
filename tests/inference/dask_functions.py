"""What tests let Dask's workers do in place of a network: made-up rows, with time to be killed."""

import os
import signal
import time
from pathlib import Path

from aucli.errors import CheckpointError, MediaError
from aucli.inference.events import VideoProgress, VideoStarted
from aucli.sinks.parquet import write_parquet
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import rows_to_batch
from tests.sinks.recipes import SCHEMA, make_rows


def setup(config, device, threads, worker, log=None):
    """A processor that makes 30 frames of rows in 0.2 s, and notes in which process each video was done."""

    def process(task, send):
        name = task.source.name
        send(VideoStarted(name, 30, worker))
        if log is not None:
            with Path(log).open("a") as file:
                file.write(f"{name} {os.getppid()} {device} {threads}\n")
        if name.startswith("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("damaged"):
            raise MediaError(f"{task.source.path}: is damaged")
        time.sleep(0.2)
        send(VideoProgress(name, 15))
        batch = rows_to_batch(SCHEMA, make_rows(sum(name.encode())), video=name)
        write_parquet(task.part_path, [batch], SCHEMA)
        return ReportEntry(name, str(task.source.path), "ok", rows=batch.num_rows, frames=30, key=task.key)

    return process


def setup_refused(config, device, threads, worker):
    raise CheckpointError("weights.safetensors: is damaged")
