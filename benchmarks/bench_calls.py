"""How many calls does a GPU get for a frame?

A GPU does the small steps between the networks (averages, suppression, crops) faster than Python can ask for
them: assumed here are 10 microseconds a call, however many pictures it is for. So the calls for a frame bound
the frames per second of one process. They are counted without a GPU: operations of torch that are no views,
by stage, over 321 frames of 720p with one face and a detection in every 5th,

- `one_by_one`: the portions of the CPU, one thread;
- `together`: those of a GPU with 8 videos in flight, and MTCNN's pictures in chunks as there.

`host_ms_per_frame` is what the host's own work takes beside them, of one core: the same pipeline, to the rows
on disk, with pictures of 128 x 128 pixels, crops of 8 x 8, and networks that give what they gave before, so
that hardly a pixel is computed; the calls of alignment and cuts are in it. Python does one thing at a time: a
process cannot be faster, whatever its GPU.

The network is left out: on a GPU a full batch is one CUDA graph. So is decoding, where the conversion of a
picture in steps of torch (`convert_in_steps`) is compared with one kernel (one call).

    python benchmarks/bench_calls.py
"""

import statistics
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch
from machine import save
from people import people
from sweeps import clip_of
from torch.utils._python_dispatch import TorchDispatchMode

from aucli.config import ExtractConfig
from aucli.datatypes import Frame
from aucli.faces.detect.mtcnn import PIXELS_PER_CHUNK, MTCNNDetector
from aucli.inference.pipeline import analyse
from aucli.inference.portions import for_cpu, for_gpu
from aucli.inference.predictor import Predictor
from aucli.inference.tally import Tally
from aucli.media.decode import open_decoder
from aucli.media.decode.colour import yuv_to_rgb
from aucli.sinks.rows import rows_to_batch
from aucli.sinks.schema import output_schema
from aucli.sinks.spool import Spool

FRAMES, EVERY = 321, 5
HOST_FRAMES, ROUNDS = 2000, 5
FREE_BYTES, VIDEOS, BATCH = 100 * 10**9, 8, 256
STAGES = ("track", "detect", "refit", "align")
SLOWEST_CALL_SECONDS = 10e-6


class AsOnGpu(MTCNNDetector):
    """Pictures in chunks, which on a CPU it does not do."""

    def _chunk(self, pictures):
        return max(1, PIXELS_PER_CHUNK // (pictures[0].shape[0] * pictures[0].shape[1]))


class Calls(TorchDispatchMode):
    """Counts calls by stage; also a timer, which tells it the stage."""

    def __init__(self):
        super().__init__()
        self.stage, self.counts = "other", Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not func.is_view:
            self.counts[self.stage] += 1
        return func(*args, **(kwargs or {}))

    @contextmanager
    def __call__(self, stage, *, waiting=False):
        before, self.stage = self.stage, stage
        try:
            yield
        finally:
            self.stage = before

    def each(self, stage, items):
        yield from items


def calls_per_frame(source, detector, predictor, portions):
    config = ExtractConfig(detect_every=EVERY)
    with Calls() as calls, open_decoder(source) as decoder:
        chunks = analyse(decoder, detector, predictor, config, portions=portions, timer=calls, threaded=False)
        frames = sum(chunk.frames for chunk in chunks)
    assert frames == FRAMES
    counts = {stage: round(calls.counts[stage] / frames, 2) for stage in STAGES}
    total = sum(counts.values())
    return counts | {"sum": round(total, 2), "most_fps": round(1 / (total * SLOWEST_CALL_SECONDS))}


class Remembered:
    """A detector that gives one face for each picture, and a network that gives the same scores: no work."""

    name, version, can_refit, sure_score = "remembered", "", True, 0.0

    def __init__(self, faces, found, predictor):
        self._faces, self._found = faces, found
        self.card = replace(predictor.card, crop=replace(predictor.card.crop, size=8))
        self.device, self.batch_size = predictor.device, predictor.batch_size

    def detect(self, pictures):
        return [self._faces] * len(pictures)

    def refit(self, pictures, boxes):
        return [self._faces] * len(pictures)

    def __call__(self, crops, timer):
        return self._found.rows(slice(0, len(crops)))


class Film:
    """A decoder of one small picture, again and again."""

    def __init__(self, picture, frames):
        self._picture, self._frames = picture, frames

    def frames(self):
        for index in range(self._frames):
            yield Frame(index, index, Fraction(1, 25), self._picture)


def host_ms_per_frame(predictor, folder):
    picture = torch.from_numpy(next(people(128, 128, 1)).copy())
    (faces,) = MTCNNDetector(min_face=20).detect([picture])
    assert len(faces) == 1
    size = predictor.card.crop.size
    remembered = Remembered(faces, predictor(torch.zeros(BATCH, 3, size, size)), predictor)
    schema = output_schema(predictor.card.written_aus, intensity_aus=predictor.card.intensity_aus)
    portions = for_gpu(FREE_BYTES, VIDEOS, BATCH)
    seconds = []
    for _ in range(ROUNDS):
        tally, spool = Tally(predictor.card.written_aus), Spool(folder / "rows.arrows", schema)
        start = time.process_time()
        chunks = analyse(
            Film(picture, HOST_FRAMES),
            remembered,
            remembered,
            ExtractConfig(detect_every=EVERY),
            portions=portions,
            threaded=False,
        )
        for chunk in chunks:
            tally.add(chunk)
            spool.write(rows_to_batch(schema, chunk.rows, video="film"))
        seconds.append(time.process_time() - start)
        assert tally.faces == HOST_FRAMES
        spool.discard()
    return 1000 * statistics.median(seconds) / HOST_FRAMES


def conversion():
    y, uv = torch.zeros((720, 1280), dtype=torch.uint8), torch.zeros((360, 640, 2), dtype=torch.uint8)
    with Calls() as calls:
        yuv_to_rgb((y, uv[..., 0], uv[..., 1]), matrix=1, full_range=False, bits=8)
    return sum(calls.counts.values())


def main():
    torch.set_num_threads(1)
    predictor = Predictor("builtin", batch_size=BATCH)
    with tempfile.TemporaryDirectory() as folder:
        source = clip_of(Path(folder), "720p", 1, FRAMES)
        one_by_one = calls_per_frame(source, MTCNNDetector(), predictor, for_cpu(1))
        together = calls_per_frame(source, AsOnGpu(), predictor, for_gpu(FREE_BYTES, VIDEOS, BATCH))
        host = host_ms_per_frame(predictor, Path(folder))
    save(
        "bench_calls",
        {
            "clip": {"size": "720p", "frames": FRAMES, "faces": 1},
            "detect_every": EVERY,
            "seconds_of_a_call": SLOWEST_CALL_SECONDS,
            "calls_per_frame": {"one_by_one": one_by_one, "together": together},
            "fewer": round(one_by_one["sum"] / together["sum"], 2),
            "host_ms_per_frame": round(host, 3),
            "convert_in_steps": conversion(),
        },
    )


if __name__ == "__main__":
    main()
