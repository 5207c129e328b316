"""How much goes through a stage together; it changes no value.

On the CPU a picture at a time is fastest, because what is made of it stays in the caches. On a GPU every call
from Python takes some microseconds however little it does, so few calls with many pictures are faster; what
bounds them there is memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

# Chosen, not yet measured on a GPU.
GPU_DETECTIONS = 32
GPU_SHARE = 0.25  # of a GPU's free memory for the pictures of all videos in flight and what is made of them
BYTES_A_PIXEL = 32  # a picture, its copy in a batch, the table of sums and the pyramid
LARGEST_PIXELS = 128 * 2**20  # of the frames that a video holds for one call of the detector


@dataclass(frozen=True)
class Portions:
    """detections: pictures in one call of the detector. pixels: of all frames between the first and the last
    of these, at most; fewer frames where they are large; None for any. looked_at: frames that are looked at
    for cuts together. cut_out: frames whose faces are cut out together. chunk: frames whose rows come
    together, if they have not faces for a batch before.
    """

    detections: int = 1
    pixels: int | None = None
    looked_at: int = 1
    cut_out: int = 1
    chunk: int = 64


def for_cpu(threads: int) -> Portions:
    """With so many threads for detection: several pictures for each, so that none waits long for the last.

    One thread takes one picture at a time, for what it has done is then waited for: at 720p with one face and
    a detection in every 5th frame the pipeline takes 18 ms a frame instead of 21.
    """
    return Portions(detections=1 if threads == 1 else max(threads, 4))


def for_gpu(free_bytes: int, videos: int, batch_size: int) -> Portions:
    """For each of so many videos at a time, with so much memory free when the networks are loaded."""
    pixels = int(free_bytes * GPU_SHARE) // BYTES_A_PIXEL // videos
    return Portions(
        detections=GPU_DETECTIONS,
        pixels=min(LARGEST_PIXELS, pixels),
        looked_at=8,
        cut_out=32,
        # A lone video has to fill a batch by itself.
        chunk=max(Portions.chunk, batch_size // videos),
    )


def gpu_portions(device: str, videos: int, batch_size: int) -> Portions | None:
    """`for_gpu` with what is free on this one now; None for the CPU."""
    if device == "cpu":
        return None
    return for_gpu(torch.cuda.mem_get_info(torch.device(device))[0], videos, batch_size)
