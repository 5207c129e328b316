"""TensorBoard logs of a run, where the package is installed.

Written with its record writer in the caller's thread: the usual `SummaryWriter` has a thread of its own,
which can keep a process that was told to end alive for minutes.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from aucli.sinks.atomic import cannot_write
from aucli.training.events import EpochDone, Event, StepDone

_VERSION = "brain.Event:2"  # of the file format


class TensorBoard:
    """A hook that writes losses, rates and figures; does nothing where `tensorboard` is not installed.

    Raises:
        OutputError: its files cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, _EventFile] = {}
        self.missing = find_spec("tensorboard") is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def __call__(self, event: Event) -> None:
        if self.missing:
            return
        if isinstance(event, StepDone):
            values: dict[str, float | None] = {
                "train/loss": event.loss,
                "train/rate": event.rate,
                "train/pictures_per_second": event.pictures_per_second,
            }
            self._write(event.stage, event.step, values)
        elif isinstance(event, EpochDone):
            values = {
                "epoch/train_loss": event.train_loss,
                "epoch/val_loss": event.val_loss,
                "epoch/mean_auc": event.mean_auc,
                "epoch/mean_f1": event.mean_f1,
                **{f"auc/{au}": value for au, value in event.auc.items()},
                **{f"f1/{au}": value for au, value in event.f1.items()},
            }
            self._write(event.stage, event.epoch, values)

    def _write(self, stage: int, step: int, values: Mapping[str, float | None]) -> None:
        folder = self._folder / f"stage{stage}"
        try:
            if stage not in self._files:
                self._files[stage] = _EventFile(folder, step)
            self._files[stage].add(step, {name: value for name, value in values.items() if value is not None})
        except OSError as error:
            raise cannot_write(folder, error) from error


class _EventFile:
    """One file of events from a step on: what an earlier, killed run wrote after it is not shown."""

    def __init__(self, folder: Path, first_step: int) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file: BinaryIO = (folder / name).open("wb")
        self._records: Any = RecordWriter(self._file)
        self._event: Any = event_pb2.Event
        self._summary: Any = summary_pb2.Summary
        self._record(step=first_step, file_version=_VERSION)
        started = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._record(step=first_step, session_log=started)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        entries = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._record(step=step, summary=self._summary(value=entries))

    def close(self) -> None:
        self._file.close()

    def _record(self, **content: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), **content).SerializeToString())
        self._file.flush()
