"""The variations of `bench_extract.py --vary`: what the pipeline reaches, beside the machine's limits.

Each row has `fps`, and what nothing on this machine can exceed, measured in the same run:

- `decode_alone_fps`: the decoder with nothing behind it, on as many cores as the pipeline has;
- `matrix_fps`: the operations of all networks in a frame at the rate of a large matrix product there.

`of_limit` is the figure over the smaller of the two.
"""

import os
import shutil
import tempfile
import time
from contextlib import contextmanager, nullcontext
from itertools import chain, islice, repeat
from pathlib import Path

import torch
from limits import decode_alone_fps, machine_limits
from people import GRIDS, SIZES, people
from torch.utils.flop_counter import FlopCounterMode

from aucli.config import ExtractConfig
from aucli.datatypes import Selection, Source
from aucli.inference.devices import available_cores
from aucli.inference.extract import run_extract
from aucli.inference.pipeline import analyse
from aucli.media.decode import open_decoder
from tests.clips import write_clip

FPS = 25
LOOP = 100  # pictures of a long clip, there and back
WORKERS = (1, 2, 4)
IN_FLIGHT = (1, 2, 4, 8)
VIDEOS = 8  # of the sweep over workers


def clip_of(folder, size, faces, frames):
    width, height = SIZES[size]
    path = folder / f"{size}_{faces}_{frames}.mp4"
    if not path.exists():
        pictures = list(people(width, height, faces, min(frames, LOOP)))
        there_and_back = [*pictures, *pictures[-2:0:-1]]
        write_clip(path, islice(chain.from_iterable(repeat(there_and_back)), frames), rate=FPS)
    return Source(path, path.name)


def flops_per_frame(source, detector, predictor, detect_every):
    """Of all networks, over a few spans between detections."""
    frames = 3 * detect_every + 1
    selection = Selection(end_seconds=frames / FPS)
    config = ExtractConfig(detect_every=detect_every, selection=selection)
    with FlopCounterMode(display=False) as counter, open_decoder(source, selection) as decoder:
        chunks = list(analyse(decoder, detector, predictor, config, threaded=False))
    return counter.get_total_flops() / sum(chunk.frames for chunk in chunks)


@contextmanager
def cores_for(workers):
    """Only that many cores, if there are so many, for this process and those that it starts."""
    all_of_them = os.sched_getaffinity(0)
    chosen = sorted(all_of_them)[:workers]
    os.sched_setaffinity(0, chosen)
    try:
        yield len(chosen)
    finally:
        os.sched_setaffinity(0, all_of_them)


class Sweeps:
    """bench: what `bench_extract` has loaded. Each sweep gives rows."""

    def __init__(self, bench, args, folder):
        self.bench, self.args, self.folder = bench, args, folder
        self.cores = available_cores() if args.device == "cpu" else 1
        self.limits = machine_limits(args.device)

    def row(self, size, faces, frames, every=1):
        source = clip_of(self.folder, size, faces, frames)
        seconds = []
        for _ in range(self.args.rounds):
            start = time.perf_counter()
            rows = self.bench.pipeline(source=source, every=every)
            seconds.append(time.perf_counter() - start)
        analysed = -(-frames // every)
        fps = analysed / sorted(seconds)[len(seconds) // 2]
        return {
            "size": size,
            "faces": faces,
            "faces_found": round(rows / analysed, 2),
            "seconds": frames / FPS,
            **self.beside(source, fps, every=every),
        }

    def beside(self, source, fps, cores=None, every=1):
        """The figure with its limits; every: one frame of so many is analysed, and all are decoded."""
        cores = cores or self.cores
        flops = flops_per_frame(source, self.bench.one_thread, self.bench.predictor, self.args.detect_every)
        decode = decode_alone_fps(source) * cores / every
        matrix = self.limits["matrix_gflops"] * 1e9 * cores / max(flops, 1)
        return {
            "fps": round(fps, 2),
            "decode_alone_fps": round(decode, 1),
            "matrix_fps": round(matrix, 1),
            "of_limit": round(fps / min(decode, matrix), 3),
        }

    def resolution(self):
        for size in SIZES:
            yield self.row(size, 1, self.args.frames)

    def faces(self):
        for faces in GRIDS:
            yield self.row("720p", faces, self.args.frames)

    def length(self):
        for seconds in self.args.seconds:
            yield self.row("360p", 1, round(seconds * FPS), self.args.every)

    def workers(self):
        """Whole runs over short videos. On the CPU there is one core for each worker as long as there are
        cores, and efficiency is against one worker on one core; on a GPU all workers share it, and there is
        a gain over one. Start-up is taken off by a run over one frame of each.
        """
        on_cpu = self.args.device == "cpu"
        source, videos = self._short_videos()
        first = None
        for workers in WORKERS:
            with cores_for(workers) if on_cpu else nullcontext(1) as cores:
                fps = VIDEOS * (self.args.frames - 1) / self._seconds_without_start(videos, jobs=workers)
                first = first or fps
                yield {
                    "workers": workers,
                    "videos": VIDEOS,
                    **({"cores": cores} if on_cpu else {}),
                    "scaling_efficiency" if on_cpu else "gain": round(fps / (first * cores), 3),
                    **self.beside(source, fps, cores),
                }

    def in_flight(self):
        """The same runs in one process that has several videos at a time."""
        source, videos = self._short_videos()
        first = None
        for at_once in IN_FLIGHT:
            seconds = self._seconds_without_start(videos, jobs=1, in_flight=at_once)
            fps = VIDEOS * (self.args.frames - 1) / seconds
            first = first or fps
            yield {
                "in_flight": at_once,
                "videos": VIDEOS,
                "gain": round(fps / first, 3),
                **self.beside(source, fps),
            }

    def _short_videos(self):
        source = clip_of(self.folder, "360p", 1, self.args.frames)
        videos = self.folder / "videos"
        videos.mkdir()
        for number in range(VIDEOS):
            shutil.copy(source.path, videos / f"{number}.mp4")
        return source, videos

    def _seconds_without_start(self, videos, **settings):
        found = []
        for _ in range(self.args.rounds):
            seconds = []
            for end in (1 / FPS, None):
                config = ExtractConfig(
                    device=self.args.device,
                    **settings,
                    detect_every=self.args.detect_every,
                    selection=Selection(end_seconds=end),
                )
                with tempfile.TemporaryDirectory() as output:
                    start = time.perf_counter()
                    run_extract([videos], Path(output) / "out.parquet", config)
                    seconds.append(time.perf_counter() - start)
            found.append(seconds[1] - seconds[0])
        return sorted(found)[len(found) // 2]


def sweep(bench, args):
    """Rows of the variation `args.vary`, and the limits of the machine."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        sweeps = Sweeps(bench, args, Path(name))
        rows = []
        for row in getattr(sweeps, args.vary)():
            rows.append(row)
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        return rows, sweeps.limits
