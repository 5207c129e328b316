"""Does the bookkeeping stay linear in the number of inputs? Runs over 100, 1,000 and 10,000 tiny clips.

The clips are hard links to one of two frames of 64 x 64 without a face; each is an input with its own part,
record and report entry. Of each number of inputs three runs of `extract` into one file:

- whole: all of them. seconds is wall time with the workers; supervisor_seconds is processor time of the
  supervising process alone, which finds, hands out, commits, merges and reports.
- again: the same run once more: everything is found finished.
- grown: every second clip is done and lies in the output; the others are added, so that old and new rows
  take turns in the new file.

peak_mib is the supervisor's own peak memory. per_input is in milliseconds of the supervisor.

    python benchmarks/bench_many_inputs.py [--inputs 100 1000 10000] [--jobs 2]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import save

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clips import numbered_frames, write_clip

RUN = """
import json, resource, sys, time
from aucli.config import ExtractConfig
from aucli.inference.extract import run_extract
inputs, output, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
report = run_extract([inputs], output, ExtractConfig(jobs=jobs)).report
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "seconds": round(time.perf_counter() - start, 2),
    "supervisor_seconds": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 2),
    "peak_mib": round(used.ru_maxrss / 1024, 1),
    "inputs": report.totals["inputs"], "rows": report.totals["rows"],
}))
"""


def run(inputs, output, jobs):
    command = [sys.executable, "-c", RUN, str(inputs), str(output), str(jobs)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def link(clip, folder, numbers):
    """Hard links to the clip; a thousand a folder."""
    for number in numbers:
        path = folder / f"{number // 1000:03}" / f"{number:06}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(clip, path)


def measured(clip, folder, inputs, jobs):
    """The three runs over so many inputs."""
    link(clip, folder / "clips", range(inputs))
    output = folder / "out.parquet"
    found = {"whole": run(folder / "clips", output, jobs), "again": run(folder / "clips", output, jobs)}
    link(clip, folder / "more", range(0, inputs, 2))
    run(folder / "more", folder / "more.parquet", jobs)
    link(clip, folder / "more", range(1, inputs, 2))
    found["grown"] = run(folder / "more", folder / "more.parquet", jobs)
    for one in found.values():
        if (one["inputs"], one["rows"]) != (inputs, 2 * inputs):
            raise RuntimeError(f"{inputs} inputs gave {one}")
        one["per_input"] = round(1000 * one["supervisor_seconds"] / inputs, 2)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--dry-run", action="store_true", help="print, and write no result")
    args = parser.parse_args()
    sizes = []
    with tempfile.TemporaryDirectory() as name:
        clip = write_clip(Path(name) / "clip.mp4", numbered_frames(2, 64, 64))
        for inputs in args.inputs:
            folder = Path(name) / str(inputs)
            folder.mkdir()
            sizes.append({"inputs": inputs, **measured(clip, folder, inputs, args.jobs)})
            print(json.dumps(sizes[-1]), file=sys.stderr, flush=True)
    if not args.dry_run:
        save("bench_many_inputs", {"jobs": args.jobs, "sizes": sizes})


if __name__ == "__main__":
    main()
