"""What does an annotated frame cost at 720p: drawing on it, against encoding it? And what does --graph add?

The example clip, enlarged into pictures of 1280 x 720, with its own results; all that `annotate` draws by
default (box, tint, panel, time line), then libx264 with the default quality, one thread each; the same again
with the relation graph, whose column makes the picture larger, and the network with and without edges.
Processor time, because drawing and encoding compete for it; the wall time is beside it.

    python benchmarks/bench_annotate.py [--frames 100]
"""

import argparse
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from machine import save
from PIL import Image

from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.inference.analyser import Analyser
from aucli.inference.batch_size import CPU_BATCH
from aucli.inference.predictor import Predictor
from aucli.media.codecs import Encoding
from aucli.media.decode import open_decoder
from aucli.media.encode import VideoWriter
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


def time_video(stopwatch, name, annotator, pictures, results):
    """Draw on all pictures, then encode them; returns the size of the canvas."""
    layout, drawn = annotator.layout, []
    with stopwatch(f"draw{name}"):
        for number, (picture, result) in enumerate(zip(pictures, results, strict=True)):
            annotator.expect(result)
            drawn.append(annotator.draw(picture, number, number / 25, result))
    with (
        tempfile.TemporaryDirectory() as folder,
        stopwatch(f"encode{name}"),
        VideoWriter(
            Path(folder) / "out.mp4",
            "mp4",
            width=layout.width,
            height=layout.height,
            time_base=Fraction(1, 25),
            frame_rate=Fraction(25),
            encoding=Encoding("libx264"),
        ) as writer,
    ):
        for number, picture in enumerate(drawn):
            writer.write(picture, number)
    return [layout.width, layout.height]


def time_network(stopwatch, name, frames, *, edges):
    """As many faces as frames through the network, in batches."""
    predictor = Predictor("builtin", edges=edges)
    size = predictor.card.crop.size
    crops = torch.rand(predictor.batch_size, 3, size, size, generator=torch.manual_seed(0)) * 255
    predictor(crops)  # the first call plans
    with stopwatch(name):
        for _ in range(frames // predictor.batch_size):
            predictor(crops)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    source = Source(CLIP, CLIP.name)
    analyser = Analyser(ExtractConfig(detect_every=3), "cpu", 1, edges=True)
    results = list(analyser.results(source, probe(source)))
    with open_decoder(source) as decoder:
        placed = [wide(frame.pixels.numpy()) for frame in decoder.frames()]
    results = [moved(result, *place[1:]) for result, place in zip(results, placed, strict=True)]
    order = [*range(len(placed)), *range(len(placed) - 2, 0, -1)]  # there and back, so that nothing jumps
    order = [order[number % len(order)] for number in range(args.frames)]
    pictures = [placed[place][0] for place in order]
    shown = [replace(results[place], index=n, pts_seconds=n / 25) for n, place in enumerate(order)]
    stopwatch, card = Stopwatch(args.frames), analyser.card
    legend = Legend.of(card.au_names, card.thresholds, card.weak_aus)
    canvas = time_video(stopwatch, "", Annotator(legend, Look(), WIDTH, HEIGHT), pictures, shown)
    graph = Annotator(legend, Look(graph=True), WIDTH, HEIGHT)
    with_graph = time_video(stopwatch, "_graph", graph, pictures, shown)
    whole = args.frames // CPU_BATCH * CPU_BATCH
    per_face = Stopwatch(whole)
    time_network(per_face, "network", whole, edges=False)
    time_network(per_face, "network_edges", whole, edges=True)
    size = {"picture": [WIDTH, HEIGHT], "canvas": canvas, "canvas_graph": with_graph}
    times = {**stopwatch.result, **per_face.result}
    save("bench_annotate", {**size, "frames": args.frames, "codec": "libx264", **times})


if __name__ == "__main__":
    main()
