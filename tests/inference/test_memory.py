"""Memory must not grow with the length of a video: ten times the frames, the same peak."""

import json
import subprocess
import sys

import numpy as np

from tests.clips import write_clip

RUN = """
import json, resource, sys
from aucli.config import ExtractConfig
from aucli.inference.extract import run_extract
result = run_extract([sys.argv[1]], None, ExtractConfig(jobs=1, detect_every=12))
print(json.dumps([resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, result.report.entries[0].rows]))
"""


def test_peak_memory_does_not_grow_with_length(tmp_path):
    peaks = []
    for frames in (300, 3000):
        clip = tmp_path / f"{frames}.mp4"
        noise = np.random.default_rng(0).integers(0, 255, (8, 96, 96, 3), np.uint8)
        write_clip(clip, (noise[i % 8] for i in range(frames)))
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(clip)], check=True, capture_output=True, text=True
        )
        peak, rows = json.loads(done.stdout)
        assert rows >= frames
        peaks.append(peak)
    # All 3,000 pictures alone would be 83 MB; the processes themselves differ by a few from run to run.
    assert peaks[1] < 1.05 * peaks[0]
