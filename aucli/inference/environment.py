"""The environment of a worker process, beside that of the run that starts it."""

from __future__ import annotations

import os

from aucli.inference.lent_ffmpeg import ffmpeg_for_torchcodec
from aucli.zoo.store import cache_folder


def worker_environment(device: str) -> dict[str, str]:
    """Variables to add for a worker on this device.

    Parallelism is over videos and pictures: threads inside operations would only compete. On a GPU also
    FFmpeg's libraries for torchcodec, and our own place for what Triton compiles, unless the user has one.
    """
    if device == "cpu":
        return {"OMP_NUM_THREADS": "1"}
    compiled = os.environ.get("TRITON_CACHE_DIR") or str(cache_folder() / "triton")
    return {"OMP_NUM_THREADS": "1", "TRITON_CACHE_DIR": compiled, **ffmpeg_for_torchcodec()}
