"""Is memory flat in the length of the video? Peak memory of a run over a short clip and over a long one.

Two clips of 320 x 240 at 10 frames per second with one face, one process, the whole of `extract` with a
detection in every 5th frame; the peak is that of the worker process (the largest child), as the kernel
counted it.

    python benchmarks/bench_memory.py [--minutes 1 20]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import save

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clips import pan_over, photo_astronaut, write_clip

FPS = 10
RUN = """
import json, resource, sys
from aucli.config import ExtractConfig
from aucli.inference.extract import run_extract
result = run_extract([sys.argv[1]], None, ExtractConfig(jobs=1, detect_every=5))
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"peak_mib": round(peak, 1), "rows": result.report.entries[0].rows}))
"""


def looped(frames, count):
    """Back and forth over the same pictures, so that nothing jumps."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    return (there_and_back[i % len(there_and_back)] for i in range(count))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, nargs=2, default=[1, 20])
    args = parser.parse_args()
    frames = list(pan_over(photo_astronaut(), 320, 240, 50))
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in args.minutes:
            clip = Path(folder) / f"{minutes:g}.mp4"
            write_clip(clip, looped(frames, round(60 * FPS * minutes)), rate=FPS)
            done = subprocess.run(
                [sys.executable, "-c", RUN, str(clip)], check=True, capture_output=True, text=True
            )
            peaks.append({"minutes": minutes, **json.loads(done.stdout)})
            print(f"{minutes:5g} min: {peaks[-1]['peak_mib']:.0f} MiB, {peaks[-1]['rows']} rows")
    ratio = peaks[1]["peak_mib"] / peaks[0]["peak_mib"]
    save("bench_memory", {"clips": peaks, "ratio": round(ratio, 4)})


if __name__ == "__main__":
    main()
