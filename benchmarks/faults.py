"""Does any damaged file crash, hang or fool what reads it? Mutated media files through `probe` and decoding.

Small clips of every container and codec are damaged (benchmarks/mutations.py), each file by its own number
and the seed alone, so any of them can be made again. Worker processes of `extract`'s own supervisor probe and
decode them, with its limits of time and memory, and look at what comes out:

- crash: the process died. hang: no progress within the limit. memory: more than the limit.
- wrong: an error that is not a `MediaError` with the file's name; frames that are not numbered in turn; times
  that do not increase; a summary that counts other frames; other frames or times the second time; frames
  lost at the end of a file whose own lengths say that it is cut, without a word.

Pixels of a damaged picture may differ from one reading to the next: some of FFmpeg's decoders show what was
in memory before where data are missing. Such files are counted, not called wrong.

    python benchmarks/faults.py [--files 1500] [--seed 1] [--jobs 2] [--only NUMBER ...]
    python benchmarks/faults.py --processes ...    faults of processes and disks: see process_faults.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from aucli.inference.supervisor import Task, TaskFailure, run_tasks
from aucli.inference.watch import Limits

FRAMES = 12
CLIPS = (
    "cfr_mp4", "cfr_2997_mov", "audio_mp4", "fragmented_mp4", "vfr_mkv", "bframes_mp4", "rotated_90_mp4",
    "odd_size_mkv", "ten_bit_hevc_mkv", "full_range_444_mp4", "vp9_webm", "av1_mkv", "h264_avi",
    "bframes_mpeg4_avi", "mjpeg_avi", "mpeg_ts", "m2ts", "mpeg2_mpg", "gif", "webp",
)  # fmt: skip
LIMITS = Limits(stall_seconds=30, memory_bytes=3_000_000_000)
AGAIN_EVERY = 5  # files decoded a second time


def make_clips(folder: Path) -> dict[str, Path]:
    """One small whole file of each kind."""
    from PIL import Image

    from tests.clips import RECIPES, numbered_frames

    made = {}
    for name in CLIPS:
        if name in RECIPES:
            made[name] = RECIPES[name].write_numbered(folder / name, FRAMES)
        else:
            made[name] = folder / f"clip.{name}"
            first, *others = (Image.fromarray(picture) for picture in numbered_frames(FRAMES, 96, 64))
            first.save(made[name], save_all=True, append_images=others, duration=40)
    return made


def set_up(clips: dict[str, Path], folder: Path, seed: int, worker: int):
    """In a worker: gives the function that makes, reads and judges the file of a number."""
    from mutations import mutate

    names = sorted(clips)
    contents = {name: path.read_bytes() for name, path in clips.items()}

    def process(number: int, send) -> dict[str, object]:
        random = np.random.default_rng([seed, number])
        name = names[random.integers(len(names))]
        content, mutation = mutate(contents[name], random)
        path = folder / f"{worker}{clips[name].suffix}"
        path.write_bytes(content)
        about = {"number": number, "clip": name, "mutation": mutation}
        try:
            outcome, differ = read(path, again=number % AGAIN_EVERY == 0)
        except WrongError as wrong:
            return about | {"outcome": "wrong", "reason": str(wrong)}
        except Exception as error:  # what is looked for
            return about | {"outcome": "wrong", "reason": f"{type(error).__name__}: {error}"}
        return about | {"outcome": outcome, "pixels_differ": differ}

    return process


class WrongError(Exception):
    """What came out is not what is promised."""


def read(path: Path, *, again: bool) -> tuple[str, bool]:
    """Probe and decode: `ok`, `partial` or `failed`, and whether pixels were others the second time.

    Raises:
        WrongError: what came out cannot be.
    """
    from aucli.datatypes import Source
    from aucli.errors import MediaError
    from aucli.media import probe

    source = Source(path, path.name, "image" if path.suffix == ".webp" else "video")
    try:
        probe(source)
    except MediaError as error:
        check_reason(path, error)
    try:
        found = decode(source)
    except MediaError as error:
        check_reason(path, error)
        return "failed", False
    frames, problem = found
    differ = False
    if again:
        frames_again, problem_again = decode(source)
        if problem != problem_again or [frame[:3] for frame in frames] != [
            frame[:3] for frame in frames_again
        ]:
            raise WrongError("other frames or times the second time")
        differ = frames != frames_again
    return "partial" if problem else "ok", differ


def decode(source) -> tuple[list[object], str | None]:
    """Frame numbers, times and sums of pixels, and the problem of the summary."""
    from aucli.media.decode import open_decoder
    from aucli.media.truncation import missing_bytes

    with open_decoder(source) as decoder:
        frames = []
        for frame in decoder.frames():
            if frame.index < len(frames):
                raise WrongError(f"frame {frame.index} after {len(frames)} frames")
            seconds = frame.pts * frame.time_base
            if frames and seconds <= frames[-1][0]:
                raise WrongError(f"frame {frame.index} at {seconds} after {frames[-1][0]}")
            frames.append((seconds, frame.height, frame.width, int(frame.pixels.sum())))
        summary = decoder.summary
    if not len(frames) <= summary.frames_decoded <= len(frames) + summary.packets_failed:
        raise WrongError(f"{len(frames)} frames, the summary says {summary.frames_decoded}")
    claimed = summary.frames_from_header
    cut = source.kind == "video" and missing_bytes(source.path)
    if cut and not summary.problem and (claimed is None or len(frames) < claimed):
        raise WrongError(f"{len(frames)} of {claimed} frames of a file that is cut, without a word")
    return frames, summary.problem


def check_reason(path: Path, error: Exception) -> None:
    text = str(error)
    if str(path) not in text or "\n" in text or len(text) < len(str(path)) + 10:
        raise WrongError(f"a reason that does not help: {text!r}")


def campaign(numbers: list[int], seed: int, jobs: int) -> dict[str, object]:
    """The result; `bad` names each file that crashed, hung or was wrong, with its number."""
    started = time.monotonic()
    outcomes: Counter[str] = Counter()
    by_mutation: dict[str, Counter[str]] = {}
    bad = []
    pixels_differ = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = make_clips(folder)
        tasks = [Task(str(number), number) for number in numbers]
        kwargs = [
            {"clips": clips, "folder": folder, "seed": seed, "worker": worker} for worker in range(jobs)
        ]
        results = run_tasks(
            tasks,
            setup="faults:set_up",
            setup_kwargs=kwargs,
            on_event=lambda event: None,
            retries=0,
            limits=LIMITS,
        )
        with closing(results):
            for task, found in results:
                result = found
                if isinstance(found, TaskFailure):
                    result = {"number": task.payload, "outcome": kind_of(found), "reason": found.reason}
                outcomes[result["outcome"]] += 1
                pixels_differ += bool(result.get("pixels_differ"))
                if "mutation" in result:
                    by_mutation.setdefault(result["mutation"], Counter())[result["outcome"]] += 1
                if result["outcome"] not in ("ok", "partial", "failed"):
                    bad.append(result)
    return {
        "seed": seed,
        "files": len(numbers),
        "read": {name: outcomes[name] for name in ("ok", "partial", "failed")},
        "crashes": outcomes["crash"],
        "hangs": outcomes["hang"],
        "beyond_memory": outcomes["memory"],
        "wrong": outcomes["wrong"],
        "read_twice": sum(number % AGAIN_EVERY == 0 for number in numbers),
        "pixels_differ_in": pixels_differ,
        "bad": sorted(bad, key=lambda result: result["number"]),
        "by_mutation": {name: dict(sorted(counts.items())) for name, counts in sorted(by_mutation.items())},
        "clips": list(CLIPS),
        "limits": {"stall_seconds": LIMITS.stall_seconds, "memory_bytes": LIMITS.memory_bytes},
        "seconds": round(time.monotonic() - started, 1),
    }


def kind_of(failure: TaskFailure) -> str:
    if failure.reason.startswith("no progress"):
        return "hang"
    return "memory" if failure.reason.startswith("its worker took") else "crash"


def main() -> None:
    from machine import save

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", action="store_true", help="disturb running batches instead")
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--share", type=float, default=1.0, help="of the faults of --processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="these again (17, kill_run:17), without writing a result")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="of --processes: what was found so far")
    args = parser.parse_args()
    if args.processes:
        import process_faults

        only = [(name, int(number)) for name, _, number in (one.partition(":") for one in args.only or ())]
        faults = only or process_faults.numbered(args.share)
        result = process_faults.campaign(faults, args.seed, args.jobs, kept=args.keep)
    else:
        only = list(map(int, args.only or ()))
        result = campaign(only or list(range(args.files)), args.seed, args.jobs)
    if only:
        print(result)
    else:
        save("faults_processes" if args.processes else "faults_media", result)


if __name__ == "__main__":
    main()
