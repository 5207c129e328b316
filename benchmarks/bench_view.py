"""How long does the page of `aucli view` wait for its data when the video is long?

Makes an extraction of two hours at 30 frames a second with two people and the 41 AUs of the hybrid set
(random walks: nothing that packs well), then asks for what the page asks for: the whole video when it is
opened, smaller and smaller stretches of it when one zooms in, the boxes of ten seconds, and the AUs
together. Medians of five; reading the file is measured once. Wall time, and processor time beside it.

    python benchmarks/bench_view.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import save

from aucli import __version__
from aucli.datatypes import Faces
from aucli.sinks.metadata import output_metadata
from aucli.sinks.parquet import write_parquet
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import Rows, rows_to_batch
from aucli.sinks.schema import output_schema
from aucli.viewer.run import ViewedRun
from aucli_models.au import AU_SETS

AUS = AU_SETS["hybrid"]
RATE = 30
PIXELS = 1000


def write_extraction(path: Path, seconds: int, people: int, seed: int = 0) -> None:
    """A Parquet file as `extract` writes it, with random walks for probabilities."""
    rng = np.random.default_rng(seed)
    schema = output_schema(AUS)
    frames = seconds * RATE

    def batches() -> Any:
        level = np.zeros((people, len(AUS)))
        for first in range(0, frames, 3000):
            count = min(3000, frames - first)
            steps = rng.normal(0, 0.15, (count, people, len(AUS)))
            walk = np.empty_like(steps)
            for frame in range(count):  # pulled back to rest, so that it stays a face
                level = 0.98 * level + steps[frame]
                walk[frame] = level
            probabilities = (1 / (1 + np.exp(1.5 - walk))).reshape(-1, len(AUS)).astype(np.float32)
            indices = np.repeat(np.arange(first, first + count, dtype=np.int32), people)
            faces = len(indices)
            tracks = np.tile(np.arange(people, dtype=np.int32), count)
            boxes = np.stack(
                [200 + 500 * tracks + rng.normal(0, 2, faces), 200 + rng.normal(0, 2, faces)], axis=1
            )
            yield rows_to_batch(
                schema,
                Rows(
                    frame_indices=indices,
                    pts_seconds=indices / RATE,
                    has_face=np.ones(faces, bool),
                    faces=Faces(
                        np.concatenate([boxes, np.full((faces, 2), 250.0)], axis=1).astype(np.float32),
                        np.full(faces, 0.99, np.float32),
                        rng.normal(300, 20, (faces, 5, 2)).astype(np.float32),
                        tracks,
                    ),
                    pose_degrees=rng.normal(0, 5, (faces, 3)).astype(np.float32),
                    sharpness=rng.random(faces, np.float32),
                    valid=np.ones(faces, bool),
                    probabilities=probabilities,
                    occurrences=probabilities >= 0.5,
                    au_names=AUS,
                ),
                video="long.mp4",
            )

    rows = frames * people
    card = {
        "name": "made-up",
        "system": "me_graphau",
        "backbone": "none",
        "au_set": "hybrid",
        "stage": 1,
        "weights": "none",
        "sha256": None,
        "licence": "none",
        "training_data": "none",
        "description": "random walks",
        "thresholds": dict.fromkeys(AUS, 0.5),
    }
    entry = ReportEntry(
        "long.mp4", "long.mp4", "ok", rows=rows, frames=frames, faces=rows, tracks=people, key="0" * 16
    )
    metadata = output_metadata(
        schema,
        [entry],
        identities={entry.key: {"size": 1, "samples_sha256": "0" * 64}},
        version=__version__,
        config={},
        card=card,
        detector={},
        crop={},
        machine={},
        versions={},
        command_line=None,
        citations=[],
        valid_rule="",
    )
    write_parquet(path, batches(), schema, metadata=metadata)


def median_ms(call: Callable[[], Any], times: int = 5) -> dict[str, float]:
    """Milliseconds of a call: wall and processor."""
    took = []
    for _ in range(times):
        start, processor = time.perf_counter(), time.process_time()
        call()
        took.append((1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - processor)))
    wall, cpu = (round(statistics.median(each), 1) for each in zip(*took, strict=True))
    return {"wall_ms": wall, "cpu_ms": cpu}


def measure(path: Path, seconds: int, people: int) -> dict[str, Any]:
    run = ViewedRun.open(path)
    result: dict[str, Any] = {
        "seconds": seconds,
        "people": people,
        "aus": len(AUS),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "read": median_ms(lambda: run.rows(0), 1),
    }
    tracks, middle = tuple(range(people)), seconds / 2
    for span in (seconds, 1800, 300, 30):
        if span <= seconds:
            low, high = middle - span / 2, middle + span / 2
            result[f"lines_of_{span}_s"] = median_ms(partial(run.lines, 0, low, high, PIXELS, tracks))
    result["bytes_of_the_whole"] = len(run.lines(0, 0, seconds, PIXELS, tracks))
    result["frames_of_10_s"] = median_ms(lambda: run.frames(0, middle, middle + 10))
    thresholds = np.full(len(AUS), 0.5, np.float32)
    result["together_in_the_whole"] = median_ms(lambda: run.together(0, 0, seconds, tracks, thresholds))
    result["values_mb"] = round(run.rows(0).values.nbytes / 1e6, 1)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="where to write the extraction, and leave it")
    given = parser.parse_args()
    seconds = round(given.hours * 3600)
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "long.parquet"
        if not path.exists():
            write_extraction(path, seconds, given.people)
        save("bench_view", measure(path, seconds, given.people))


if __name__ == "__main__":
    main()
