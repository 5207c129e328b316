"""How many faces go through a network together on a GPU: measured once, remembered, fitted to free memory.

What is remembered is what one face takes, not how many fitted: the next run may find less memory free. On
the CPU the number is fixed; there a larger one is slower, because it does not fit the caches.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping

import torch

from aucli.errors import OutputError
from aucli.sinks.atomic import write_json
from aucli.zoo.store import cache_folder, scratch_folder

_LOG = logging.getLogger(__name__)

CPU_BATCH = 8  # what a layer makes of them still fits the cache
LARGEST_BATCH = 256  # more are no faster: each layer already fills the device
PROBE = 32  # faces of the batch that is measured
SHARE = 0.5  # of the free memory; the rest is for frames, detection and what is not seen
_MESSAGES = ("allocate memory", "out of memory", "bad_alloc", "not enough memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: the device's, torch's on the host, Python's own.

    On the host torch raises a plain RuntimeError, known by its words only.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _MESSAGES)


def batch_for(bytes_per_face: int, free_bytes: int) -> int:
    """The largest power of two, 1 to `LARGEST_BATCH`, whose faces take at most `SHARE` of what is free."""
    fitting = int(free_bytes * SHARE) // max(1, bytes_per_face)
    return min(LARGEST_BATCH, 1 << max(0, fitting.bit_length() - 1))


def cuda_peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """What a run takes on the device at its peak, beyond what is there before; run twice."""
    run()  # the first plans, and keeps what it has planned
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


class FaceMemory:
    """Bytes that one face takes, remembered in the cache folder under everything that they depend on.

    What cannot be read or written there is measured again each time; that is no error.

    key: device, weights, precision and what else changes them; plain JSON values.
    """

    def __init__(self, key: Mapping[str, object]) -> None:
        self._key = dict(key)
        text = json.dumps(self._key, sort_keys=True)
        self._name = f"memory-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        self._path = cache_folder() / "memory" / f"{self._name}.json"

    @property
    def bytes_per_face(self) -> int | None:
        """None where it is not known."""
        try:
            found = json.loads(self._path.read_bytes())
            value = found["bytes_per_face"]
            return value if found["key"] == self._key and isinstance(value, int) and value > 0 else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, bytes_per_face: int) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Two workers may write the same file at once.
            with scratch_folder(self._name) as folder:
                value = {"key": self._key, "bytes_per_face": bytes_per_face}
                write_json(self._path, value, temporary_folder=folder)
        except (OSError, OutputError) as error:
            _LOG.debug("what a face takes is not remembered: %s", error)

    def measured(self, run: Callable[[int], int]) -> int:
        """Remembered, or found by `run`, which puts that many faces through the network and gives the bytes
        that they take; then remembered.

        Raises:
            Exception: what `run` raises with a single face.
        """
        known = self.bytes_per_face
        if known is not None:
            return known
        faces = PROBE
        while True:
            try:
                found = max(1, run(faces) // faces)
            except (RuntimeError, MemoryError) as error:
                if faces == 1 or not is_out_of_memory(error):
                    raise
            else:
                self.remember(found)
                return found
            faces //= 2
