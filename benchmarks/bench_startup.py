"""How long from the command to the first row, and to the end, for a video of a second?

`warm`: the command was run a moment before. `cold`: no byte code, an empty cache folder, and the files of the
Python environment and of aucli put out of the system's page cache (POSIX_FADV_DONTNEED; what another process
has mapped stays, so nothing else should run Python then). The first row is there when the worker has written
its first chunk; the moment comes from the trace of `--profile`, which counts in seconds since 1970. `load` is
what the worker takes to load detector and network; the rest before the first row is Python and its imports.

    python benchmarks/bench_startup.py [--rounds 3] [--device cpu]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from machine import save
from people import people

sys.path.insert(0, str(Path(__file__).parents[1]))
import aucli
from tests.clips import write_clip

CODE = "from aucli.cli.main import main; main()"


def forget(folder):
    """Put the files below out of the page cache."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(clip, folder, device, environment):
    """Seconds to the first row, to the end, and of the worker's set-up."""
    trace = folder / "trace.json"
    options = ["--device", device, "--fresh", "--quiet", "--profile", str(trace)]
    command = [sys.executable, "-c", CODE, "extract", str(clip), "-o", str(folder / "out.parquet"), *options]
    start = time.time()
    subprocess.run(command, check=True, env=os.environ | environment)
    whole = time.time() - start
    content = json.loads(trace.read_text())
    spans = [event for event in content["traceEvents"] if event["ph"] == "X"]
    written = min(span["ts"] + span["dur"] for span in spans if span["name"] == "write")
    loaded = sum(span["dur"] for span in spans if span["name"] == "load")
    first = content["otherData"]["start_seconds"] + written / 1e6 - start
    return {"first_row": first, "whole": whole, "load": loaded / 1e6}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    installed = Path(sysconfig.get_paths()["purelib"])
    rounds = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = write_clip(folder / "clip.mp4", people(640, 360, 1, 25))
        for number in range(args.rounds):
            empty = {
                "PYTHONPYCACHEPREFIX": str(folder / f"bytecode{number}"),
                "AUCLI_CACHE": str(folder / f"cache{number}"),
            }
            for place in (installed, Path(aucli.__file__).parent):
                forget(place)
            rounds["cold"].append(run(clip, folder, args.device, empty))
            run(clip, folder, args.device, {})  # writes byte code where there is none
            rounds["warm"].append(run(clip, folder, args.device, {}))
    seconds = {
        kind: {key: round(statistics.median(one[key] for one in found), 2) for key in found[0]}
        for kind, found in rounds.items()
    }
    save(
        f"bench_startup_{args.device.replace(':', '')}",
        {"clip": "640 x 360, 25 frames, one face", "rounds": args.rounds, "seconds": seconds},
    )


if __name__ == "__main__":
    main()
