"""What the machine could do at best, measured beside a figure: matrix rate, bandwidth, decoding alone."""

import statistics
import time

import torch

from aucli.media.decode import open_decoder


def synchronise(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(run, device="cpu", rounds=5):
    """Median seconds of a run after a first one: processor time of this thread on the CPU, which other
    programs disturb least; wall time on a GPU.
    """
    run()
    clock = time.thread_time if device == "cpu" else time.perf_counter
    found = []
    for _ in range(rounds):
        synchronise(device)
        start = clock()
        run()
        synchronise(device)
        found.append(clock() - start)
    return statistics.median(found)


def matrix_gflops(device="cpu", dtype=torch.float32, side=None, rounds=5):
    """Giga floating-point operations per second of a large square product; on the CPU of one thread."""
    side = side or (1024 if device == "cpu" else 8192)
    left, right = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / seconds_of(lambda: left @ right, device, rounds) / 1e9


def bandwidth_gbytes(device="cpu", mebibytes=None, rounds=5):
    """Giga bytes per second read and written by a copy that fits no cache; on the CPU of one thread."""
    values = torch.rand((mebibytes or (256 if device == "cpu" else 4096)) * 2**18, device=device)
    copy = torch.empty_like(values)
    return 2 * values.nbytes / seconds_of(lambda: copy.copy_(values), device, rounds) / 1e9


def decode_alone_fps(source, rounds=1, decoder="auto"):
    """Frames per second of the decoder with nothing behind it, as `extract` opens it; one thread."""
    found = []
    for _ in range(rounds):
        start, frames = time.perf_counter(), 0
        with open_decoder(source, decoder=decoder) as opened:
            for _frame in opened.frames():
                frames += 1
        found.append(frames / (time.perf_counter() - start))
    return statistics.median(found)


def machine_limits(device="cpu", dtype=None):
    """dtype: of the matrices; by default what `--precision auto` computes in on the device."""
    dtype = dtype or (torch.float32 if device == "cpu" else torch.bfloat16)
    return {
        "matrix_gflops": round(matrix_gflops(device, dtype), 1),
        "bandwidth_gbytes_per_second": round(bandwidth_gbytes(device), 1),
    }
