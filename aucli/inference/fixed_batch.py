"""A network captured as one CUDA graph: launched as a whole, without Python between its kernels.

A graph works on fixed memory and so on a fixed number of faces. A batch that is not full is completed with
what the memory held before, and those results are cut off: no face's result depends on the others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from aucli_models.output import AUOutput

_LOG = logging.getLogger(__name__)

_WARM_UP = 3  # runs before a capture: what is chosen or allocated once must be there

Run = Callable[[Tensor], AUOutput]
Capture = Callable[[Callable[[], AUOutput]], Callable[[], AUOutput]]


def captured(run: Callable[[], AUOutput]) -> Callable[[], AUOutput]:
    """The run as a CUDA graph; each replay writes into the same outputs."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch gives it no types
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # Other threads may decode on this device meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = run()

    def replay() -> AUOutput:
        graph.replay()
        return outputs

    return replay


class FixedBatch:
    """The same outputs as `run`, for up to as many faces as there are in `example`.

    Threads, also with streams of their own, use it one after the other.
    """

    def __init__(self, run: Run, example: Tensor, capture: Capture = captured) -> None:
        self.size = len(example)
        self._input = example.clone()
        self._lock = threading.Lock()
        self._free = torch.cuda.Event() if example.is_cuda else None  # type: ignore[no-untyped-call]
        self._replay = capture(lambda: run(self._input))

    def __call__(self, batch: Tensor) -> AUOutput:
        with self._lock:
            stream = torch.cuda.current_stream(self._input.device) if self._free is not None else None
            if self._free is not None:
                self._free.wait(stream)  # another stream may still be at work on the fixed memory
            self._input[: len(batch)].copy_(batch)
            outputs = self._replay()
            # The next replay writes over them.
            own = AUOutput(
                outputs.probabilities[: len(batch)].clone(),
                _first(outputs.edge_logits, len(batch)),
                _first(outputs.intensity, len(batch)),
            )
            if self._free is not None:
                self._free.record(stream)
            return own


def _first(values: Tensor | None, faces: int) -> Tensor | None:
    return None if values is None else values[:faces].clone()


def fixed_if_safe(
    run: Run, example: Tensor, tolerance: float, capture: Capture = captured
) -> FixedBatch | None:
    """A graph whose probabilities were compared with those of `run` on `example`; None, with the reason in
    the log, where there can be none or they differ by more than `tolerance`.
    """
    try:
        fixed = FixedBatch(run, torch.zeros_like(example), capture)
        difference = float((fixed(example).probabilities - run(example).probabilities).abs().max())
    except (RuntimeError, MemoryError) as error:
        reason = str(error).partition("\n")[0]
        _LOG.info("no CUDA graph, the network runs layer by layer: %s", reason)
        return None
    if not difference <= tolerance:
        _LOG.warning("no CUDA graph: its results are off by %g", difference)
        return None
    return fixed
