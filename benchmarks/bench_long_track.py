"""Is memory flat in the length of a track that is one clip? MDHR over 1, 2, 5 and 10 minutes of a face.

Clips of 320 x 240 at 25 frames per second with one face that never leaves, one process, the whole of
`extract` with `--clips track` and the small MDHR network (random weights: they change no memory). Every frame
must be a row of one track with a number. The peak is that of the worker process (the largest child), as the
kernel counted it.

    python benchmarks/bench_long_track.py [--minutes 1 2 5 10]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_memory import looped
from machine import save

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clips import pan_over, photo_astronaut, write_clip
from tests.models.small_mdhr import card_file

FPS = 25
RUN = """
import json, resource, sys
import pyarrow.compute as pc
from aucli.config import ExtractConfig
from aucli.inference.extract import run_extract
result = run_extract([sys.argv[1]], None, ExtractConfig(jobs=1, detect_every=5, model=sys.argv[2]))
table = result.table
print(json.dumps({
    "peak_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1),
    "rows": table.num_rows,
    "tracks": pc.count_distinct(table["track"]).as_py(),
    "without_a_number": table["AU12_prob"].null_count,
}))
"""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 2, 5, 10])
    args = parser.parse_args()
    frames = list(pan_over(photo_astronaut(), 320, 240, 100))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        card = card_file(Path(folder))
        for minutes in args.minutes:
            clip, count = Path(folder) / f"{minutes:g}.mp4", round(60 * FPS * minutes)
            write_clip(clip, looped(frames, count), rate=FPS)
            done = subprocess.run(
                [sys.executable, "-c", RUN, str(clip), str(card)], check=True, capture_output=True, text=True
            )
            one = {"minutes": minutes, "frames": count, **json.loads(done.stdout)}
            found.append(one)
            print(f"{minutes:5g} min: {one['peak_mib']:.0f} MiB, {one['rows']} rows", flush=True)
            if (one["rows"], one["tracks"], one["without_a_number"]) != (count, 1, 0):
                raise SystemExit(f"not one track with a number in each frame: {one}")
    ratio = found[-1]["peak_mib"] / found[0]["peak_mib"]
    save("bench_long_track", {"clips": found, "longest_to_first": round(ratio, 4)})


if __name__ == "__main__":
    main()
