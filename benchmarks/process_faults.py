"""Does a batch survive what happens to its processes and its disk? Faults while `aucli extract` runs.

A small batch runs as a command with two workers and is disturbed at a random moment of its whole course, or a
random time after the nth video was recorded (after the last one it merges). Each fault is a function here and
has a number; name, number and seed alone decide what is done and when. Then the same command runs again, and
must end well: exit code 0, each input in the report once, the bytes of a run that nothing disturbed, no
process left of any of the runs, no file beside the output, inputs as they were. Before that, what stands
under a final name must be whole, and an exit code or a message that was not foreseen counts as a crash.

    python benchmarks/faults.py --processes [--share 1] [--seed 1] [--jobs 2] [--only kill_run:7 ...]

It takes one to two hours; with `--keep FILE` it can be stopped, and the same command goes on.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from disturbed import FORMS, FRAMES, ROOT, Lane, Moment, Run, judge_finished, judge_unfinished

COUNTED = (
    "runs", "kills", "worker_kills", "resumes", "too_late", "halved_batches", "lost_rows", "doubled_rows",
    "orphans", "stray_files", "crashes", "hangs", "wrong",
)  # fmt: skip
_TMPFS_BYTES = 16_000_000
# Blocks the next opening of a file for as long as it lives, as a disk that does not answer.
_LEASE = """
import fcntl, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1], "r+b")
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
"""


_BALLAST = """
import sys
if "worker_main" in sys.orig_argv[-1]:
    ballast = b"x" * {}
"""


class NotRunError(Exception):
    """This fault cannot be made here; the text says why."""


class Case:
    """One fault: where it runs, what chance decides in it, and what was seen."""

    def __init__(self, lane: Lane, name: str, number: int, seed: int) -> None:
        self.lane, self.name = lane, f"{name}:{number}"
        self.random = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
        self.form = FORMS[int(self.random.random() < 0.3)]
        self.folder = lane.folder / f"{name}-{number}"
        self.work = self.folder / "work"
        self.work.mkdir(parents=True)
        self.seen: Counter[str] = Counter()
        self.moments: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._wanted = lane.wanted(self.form)
        self._limit_seconds = max(120.0, 20 * lane.seconds)
        self._runs: list[Run] = []

    def moment(self) -> Moment:
        """Any time of the run, or soon after it has recorded so many videos."""
        inputs = len(self._wanted.inputs)
        if self.random.random() < 0.6:
            return Moment(None, float(self.random.uniform(0, self.lane.seconds)))
        # After the last one comes the merge, which takes a moment only.
        records = inputs if self.random.random() < 0.4 else int(self.random.integers(inputs))
        return Moment(records, float(self.random.uniform(0, self.lane.seconds / 20)))

    def start(self, **variables: str) -> Run:
        self.seen["runs"] += 1
        run = Run(self.folder, self.lane.videos, self.form, variables)
        self._runs.append(run)
        return run

    def wait(self, run: Run) -> bool:
        """Until a random moment; False when the run was over before it."""
        run.wait_until(self.moment())
        phase = run.phase(len(self._wanted.inputs))
        self.moments[phase] += 1
        self.seen["too_late"] += phase == "over"
        return phase != "over"

    def finish(
        self, run: Run, foreseen: Sequence[int], *, says: str | None = None, traces: bool = False
    ) -> int:
        """Wait for the end of a disturbed run, and look at what it leaves; returns its exit code.

        foreseen: exit codes, beside 0. says: what one that failed says. traces: its workers may show where
        their errors arose.
        """
        code, said = run.end(self._limit_seconds)
        left = run.left_after(max(5.0, self.lane.seconds))
        self.seen["orphans"] += len(left)
        if left:
            self.wrong.append(f"processes {left} are left")
            run.end_all()
        self.seen["halved_batches"] += said.count("out of memory with")
        if code is None:
            self.seen["hangs"] += 1
            self.wrong.append(f"hung; said {said!r}")
            return -signal.SIGKILL
        bad_words = ["this is a bug"]
        if code != -signal.SIGINT and not traces:
            bad_words += ["Traceback", "Exception ignored"]
        if code not in (0, *foreseen) or any(words in said for words in bad_words):
            self.seen["crashes"] += 1
            self.wrong.append(f"exit code {code}; said {said!r}")
        elif code in foreseen and says is not None and says not in said:
            self.wrong.append(f"exit code {code} without {says!r}; said {said!r}")
        if self.work.is_dir():
            self.wrong += judge_unfinished(self.work, self._wanted)
        return code

    def resume(self, *, exact: bool = True) -> None:
        """The same command again, undisturbed: all must be well then."""
        self.seen["resumes"] += 1
        run = self.start()
        code = self.finish(run, ())
        if code != 0:
            self.wrong.append(f"the same command again gives {code}")
            return
        tmp = self.folder / "tmp"
        self.wrong += judge_finished(self.work, self._wanted, self.seen, exact=exact, tmp=tmp)
        self.wrong += self.lane.changed_inputs()

    def close(self) -> None:
        for run in self._runs:
            run.end_all()
        shutil.rmtree(self.folder, ignore_errors=True)


# -- the faults ----------------------------------------------------------------------------------


def kill_run(case: Case) -> None:
    """SIGKILL of the command, whose workers must end by themselves; now and then also of the run after it."""
    for _ in range(int(case.random.integers(1, 3))):
        run = case.start()
        case.seen["kills"] += case.wait(run)
        run.process.kill()
        case.finish(run, [-signal.SIGKILL])
    case.resume()


def kill_worker(case: Case) -> None:
    """SIGKILL of one to three workers while the others go on; a video fails only when it lost two."""
    run = case.start()
    for _ in range(int(case.random.integers(1, 4))):
        case.wait(run)
        while not run.is_over and not (workers := run.workers):
            time.sleep(0.01)
        if run.is_over:
            break
        with suppress(ProcessLookupError):
            os.kill(int(case.random.choice(workers)), signal.SIGKILL)
            case.seen["worker_kills"] += 1
    case.finish(run, [1, 3, 4])  # 1: one place lost two workers while they started
    case.resume()


def _stop(case: Case, number: int) -> None:
    run = case.start()
    if case.wait(run):
        with suppress(ProcessLookupError):
            if case.random.random() < 0.5:
                os.killpg(run.process.pid, number)  # as a terminal and batch systems do
            else:
                os.kill(run.process.pid, number)
    case.finish(run, [128 + number, -number])  # the latter before Python has a handler; the same in a shell
    case.resume()


def interrupt(case: Case) -> None:
    """SIGINT: exit code 130."""
    _stop(case, signal.SIGINT)


def terminate(case: Case) -> None:
    """SIGTERM: exit code 143."""
    _stop(case, signal.SIGTERM)


def disk_full(case: Case) -> None:
    """A file system that has too little room from the start, or fills up at a random moment."""
    with _tmpfs(case.work):
        ballast = case.work / "ballast"
        room = int(case.random.integers(4 * case.lane.wanted(case.form).bytes))
        later = case.random.random() < 0.5
        if not later:
            _fill(ballast, keep=room)
        run = case.start()
        if later:
            case.wait(run)
            _fill(ballast, keep=room // 8)
        case.seen["too_late"] += case.finish(run, [1], says="No space left on device") == 0
        ballast.unlink()
        case.resume()


@contextmanager
def _tmpfs(folder: Path) -> Iterator[None]:
    """Raises: NotRunError: nobody but root may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS_BYTES}", "aucli-faults", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotRunError(f"no permission to mount a tmpfs ({getattr(error, 'stderr', error)})") from error
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(ballast: Path, keep: int) -> None:
    """Take all the room of its file system but `keep` bytes."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        free = os.statvfs(file.fileno())
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - keep))


def file_limit(case: Case) -> None:
    """RLIMIT_FSIZE: any file that grows beyond a random size cannot be written. Needs no permission."""
    run = case.start()
    most = int(case.random.integers(1, case.lane.wanted(case.form).bytes))
    with suppress(ProcessLookupError):
        resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (most, most))
    case.finish(run, [1], says="File too large")
    case.resume()


def folder_gone(case: Case) -> None:
    """The output's folder is removed, or moved away and put back for the next run."""
    run = case.start()
    case.wait(run)
    moved = case.random.random() < 0.5
    if moved:
        case.work.rename(case.folder / "elsewhere")
    else:
        while case.work.exists():  # the run may still put something there
            shutil.rmtree(case.work, ignore_errors=True)
    case.finish(run, [1, 2])  # 2: it was gone before the run looked
    if moved and not any(path.is_file() for path in case.work.rglob("*")):
        shutil.rmtree(case.work, ignore_errors=True)
        (case.folder / "elsewhere").rename(case.work)
    case.work.mkdir(exist_ok=True)
    case.resume()


def two_runs(case: Case) -> None:
    """The same command a second time while it runs: one of them is refused, or comes when all is done."""
    first = case.start()
    if case.random.random() < 0.7:
        case.wait(first)
    second = case.start()
    codes = [case.finish(run, [1], says="is being written by another run") for run in (first, second)]
    if 0 not in codes:
        case.wrong.append(f"both runs were refused: {codes}")
    case.resume()


def stopped_worker(case: Case) -> None:
    """A worker that does nothing more (SIGSTOP): the watch ends it after `--stall-seconds`."""
    run = case.start(AUCLI_STALL_SECONDS=_stall_seconds(case))
    case.wait(run)
    while not run.is_over and not (workers := run.busy_workers):
        time.sleep(0.02)
    if not run.is_over:
        with suppress(ProcessLookupError):
            os.kill(int(case.random.choice(workers)), signal.SIGSTOP)
    case.finish(run, [3, 4], says="no progress for")
    case.resume()


def silent_disk(case: Case) -> None:
    """A file whose opening does not return (another process has a lease on it): ended in the same way."""
    run = case.start(AUCLI_STALL_SECONDS=_stall_seconds(case))
    while not run.is_over and not run.busy_workers:
        time.sleep(0.02)
    smallest = min(case.lane.videos.iterdir(), key=lambda path: path.stat().st_size)  # it comes last
    with subprocess.Popen(
        [sys.executable, "-c", _LEASE, str(smallest)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as holder:
        held = holder.stdout is not None and holder.stdout.readline() == "held\n"
        case.finish(run, [3, 4], says="no progress for")
        holder.terminate()
        said = "" if held or holder.stderr is None else holder.stderr.read().strip().splitlines()[-1]
    if not held and "Resource temporarily unavailable" not in said:
        raise NotRunError(f"no lease on a file here ({said})")
    case.seen["too_late"] += not held  # a worker had it open already
    case.resume()


def _stall_seconds(case: Case) -> str:
    # The system takes a lease away after 45 seconds.
    return str(min(20, max(4, round(case.lane.seconds / 2))))


def little_memory(case: Case) -> None:
    """Workers that take more than `--worker-memory`, from a random point of their course on.

    One that small is refused, so each carries a ballast that leaves of the least one allowed a part only.
    """
    left = int(float(case.random.uniform(0.4, 1.05)) * case.lane.worker_bytes)
    folder = case.folder / "ballast"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_BALLAST.format(max(0, 10**9 - left)))
    path = os.pathsep.join(map(str, (folder, ROOT, ROOT / "models")))
    run = case.start(AUCLI_WORKER_MEMORY="1", PYTHONPATH=path)
    case.finish(run, [3, 4], says="of memory, more than")
    case.resume()


def no_memory(case: Case) -> None:
    """Allocations in a worker fail from a random moment on (RLIMIT_AS): in whatever library asks next."""
    run = case.start(AUCLI_BATCH_SIZE="64")
    case.wait(run)
    while not run.is_over and not (workers := run.busy_workers):
        time.sleep(0.02)
    if not run.is_over:
        pid = int(case.random.choice(workers))
        with suppress(ProcessLookupError, OSError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + int(case.random.integers(30_000_000))
            resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
    case.finish(run, [1, 3, 4], traces=True)
    case.resume(exact=False)


FAULTS: dict[str, tuple[Callable[[Case], None], int]] = {
    "kill_run": (kill_run, 220),
    "kill_worker": (kill_worker, 50),
    "interrupt": (interrupt, 15),
    "terminate": (terminate, 15),
    "disk_full": (disk_full, 20),
    "file_limit": (file_limit, 10),
    "folder_gone": (folder_gone, 15),
    "two_runs": (two_runs, 12),
    "stopped_worker": (stopped_worker, 8),
    "silent_disk": (silent_disk, 4),
    "little_memory": (little_memory, 6),
    "no_memory": (no_memory, 12),
}
"""Each fault and how often the whole campaign makes it."""


# -- the campaign --------------------------------------------------------------------------------


def numbered(share: float = 1.0) -> list[tuple[str, int]]:
    """All faults of a campaign, or a share of each."""
    return [
        (name, number)
        for name, (_, count) in FAULTS.items()
        for number in range(max(1, round(share * count)))
    ]


def campaign(
    faults: Sequence[tuple[str, int]],
    seed: int,
    jobs: int,
    frames: Mapping[str, int] = FRAMES,
    kept: Path | None = None,
) -> dict[str, object]:
    """The result; `bad` names each fault after which something was wrong.

    jobs: faults at a time, each with two workers. frames: of the clips. kept: a file with a line for each
    fault that was made; a campaign that was stopped goes on after those.
    """
    lines = kept.read_text().splitlines() if kept is not None and kept.exists() else []
    before = {result["fault"]: result for result in map(json.loads, lines) if result["seed"] == seed}
    jobs = min(jobs, sum(f"{name}:{number}" not in before for name, number in faults))
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="aucli-faults-") as folder,
        ThreadPoolExecutor(max(1, jobs)) as pool,
    ):
        # All at once, so that the undisturbed runs take as long as the others will.
        lanes = list(pool.map(lambda number: Lane(Path(folder) / f"lane{number}", frames), range(jobs)))
        free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in lanes:
            free.put(lane)

        def one(fault: tuple[str, int]) -> dict[str, Any]:
            name, number = fault
            if f"{name}:{number}" in before:
                return before[f"{name}:{number}"]
            lane = free.get()
            try:
                result = _one(lane, name, number, seed)
            finally:
                free.put(lane)
            if kept is not None:
                with kept.open("a") as file:  # one write, so that lines of two threads stay apart
                    file.write(json.dumps({**result, "seed": seed}) + "\n")
            return result

        results = list(pool.map(one, faults))
    seen, moments = Counter[str](), Counter[str]()
    by_fault: dict[str, Counter[str]] = {}
    not_run: dict[str, str] = {}
    for result in results:
        name = str(result["fault"]).partition(":")[0]
        if "not_run" in result:
            not_run[name] = str(result["not_run"])
            continue
        for of in (seen, by_fault.setdefault(name, Counter())):
            of.update(faults=1, **result["seen"])
        moments.update(result["moments"])
    return {
        "seed": seed,
        "inputs": len(frames),
        "inputs_tried": len(frames) * seen["runs"],
        "faults": seen["faults"],
        **{name: seen[name] for name in COUNTED},
        "bad": [result for result in results if result.get("wrong")],
        "not_run": not_run,
        "moments": dict(sorted(moments.items())),
        "by_fault": {name: dict(+counts) for name, counts in by_fault.items()},
        "undisturbed_seconds": round(max((lane.seconds for lane in lanes), default=0.0), 2),
        "jobs": jobs,
        "seconds": round(time.monotonic() - started, 1),
    }


def _one(lane: Lane, name: str, number: int, seed: int) -> dict[str, Any]:
    case = Case(lane, name, number, seed)
    result: dict[str, Any] = {"fault": case.name}
    try:
        FAULTS[name][0](case)
    except NotRunError as error:
        return result | {"not_run": str(error)}
    except Exception:  # the rest of a long campaign goes on
        case.wrong.append(traceback.format_exc())
    finally:
        case.close()
    case.seen["wrong"] += bool(case.wrong)
    print(f"{case.name}: {'; '.join(case.wrong) or 'well'}", file=sys.stderr, flush=True)
    return result | {"seen": dict(case.seen), "moments": dict(case.moments), "wrong": case.wrong}
