"""What does an annotated frame cost at 720p: drawing on it, against encoding it?

The example clip, enlarged into pictures of 1280 x 720, with its own results; all that `annotate` draws (box,
tint, panel, time line), then libx264 with the default quality, one thread each. Processor time, because the
two compete for it; the wall time is beside it.

    python benchmarks/bench_annotate.py [--frames 100]
"""

import argparse
import tempfile
import time
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from machine import save
from PIL import Image

from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.inference.analyser import Analyser
from aucli.media.decode import open_decoder
from aucli.media.encode import Encoding, VideoWriter
from aucli.media.probe import probe
from aucli.sinks.draw.annotator import Annotator
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.look import Look

WIDTH, HEIGHT = 1280, 720
CLIP = Path(__file__).parents[1] / "aucli" / "examples" / "smile.mp4"


class Stopwatch:
    """Milliseconds a frame by stage."""

    def __init__(self, frames):
        self._frames = frames
        self.result = {}

    @contextmanager
    def __call__(self, stage):
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.result |= {
            f"{stage}_cpu_ms": round((time.process_time() - cpu) * 1000 / self._frames, 2),
            f"{stage}_wall_ms": round((time.perf_counter() - wall) * 1000 / self._frames, 2),
        }


def wide(pixels):
    """The picture in the middle of a wide one, as large as it fits."""
    picture = Image.fromarray(pixels)
    large = picture.resize((HEIGHT * picture.width // picture.height, HEIGHT), Image.Resampling.BICUBIC)
    whole = Image.new("RGB", (WIDTH, HEIGHT), (90, 100, 110))
    whole.paste(large, ((WIDTH - large.width) // 2, 0))
    return np.asarray(whole), HEIGHT / picture.height, (WIDTH - large.width) // 2


def moved(result, factor, left):
    """The result where its face lies in the wide picture."""
    result.faces.boxes[:] *= factor
    result.faces.boxes[:, 0] += left
    result.faces.landmarks[:] = result.faces.landmarks * factor + np.array([left, 0], np.float32)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    source = Source(CLIP, CLIP.name)
    analyser = Analyser(ExtractConfig(detect_every=3), "cpu", 1)
    results = list(analyser.results(source, probe(source)))
    with open_decoder(source) as decoder:
        placed = [wide(frame.pixels.numpy()) for frame in decoder.frames()]
    results = [moved(result, *place[1:]) for result, place in zip(results, placed, strict=True)]
    order = [*range(len(placed)), *range(len(placed) - 2, 0, -1)]  # there and back, so that nothing jumps
    order = [order[number % len(order)] for number in range(args.frames)]
    card = analyser.card
    annotator = Annotator(Legend.of(card.au_names, card.thresholds, card.weak_aus), Look(), WIDTH, HEIGHT)
    stopwatch, drawn = Stopwatch(args.frames), []
    with stopwatch("draw"):
        for number, place in enumerate(order):
            annotator.expect(results[place])
            drawn.append(annotator.draw(placed[place][0], number, number / 25, results[place]))
    with (
        tempfile.TemporaryDirectory() as folder,
        stopwatch("encode"),
        VideoWriter(
            Path(folder) / "out.mp4",
            "mp4",
            width=annotator.layout.width,
            height=annotator.layout.height,
            time_base=Fraction(1, 25),
            frame_rate=Fraction(25),
            encoding=Encoding(),
        ) as writer,
    ):
        for number, picture in enumerate(drawn):
            writer.write(picture, number)
    size = {"picture": [WIDTH, HEIGHT], "canvas": [annotator.layout.width, annotator.layout.height]}
    save("bench_annotate", {**size, "frames": args.frames, "codec": "libx264", **stopwatch.result})


if __name__ == "__main__":
    main()
