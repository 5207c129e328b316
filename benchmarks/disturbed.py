"""Runs of `aucli extract` to be disturbed, and what must be true of them afterwards; for `process_faults.py`.

A lane is a folder with a few tiny clips and the outputs of a run that nothing disturbed. A run is the real
command in a session of its own, so that every process that belongs to it can be found. All runs of a lane
have the same command line: whatever happened in between, their outputs must have the same bytes in the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from aucli.inference.watch import resident_bytes
from aucli.sinks.place import OutputPlace

ROOT = Path(__file__).parents[1]
FRAMES = {"a.mp4": 6, "b.mp4": 11, "c.mp4": 8, "d.mp4": 14, "e.mp4": 9}
"""The clips and their frames; one face in each."""
FORMS = ("out.parquet", "out")
TOLERANCE = 1e-6  # of scores when a batch was halved
_CODE = "from aucli.cli.main import main; main()"
_POLL_SECONDS = 0.002


def make_clips(folder: Path, frames: Mapping[str, int] = FRAMES) -> Path:
    """Clips of 160 x 120 with one face of some 60 pixels."""
    from tests.clips import pan_over, photo_astronaut, write_clip

    folder.mkdir()
    head = photo_astronaut()[:240, 110:430]
    for name, count in frames.items():
        write_clip(folder / name, pan_over(head, 160, 120, count, travel=0.2))
    return folder


# -- processes -----------------------------------------------------------------------------------


def members(session: int) -> dict[int, int]:
    """The living processes of a session, each with its parent."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, _, of_session = status.read_text().rpartition(")")[2].split()[:4]
            if int(of_session) == session and state not in "ZX":
                found[int(status.parent.name)] = int(parent)
    return found


class Run:
    """The command, running.

    folder: where it runs, with the output in `work/` and `tmp/` as its TMPDIR. variables: of the environment,
    beside those that are there.
    """

    def __init__(self, folder: Path, videos: Path, form: str, variables: Mapping[str, str]) -> None:
        self.folder, self.form = folder, form
        self.place = OutputPlace(folder / "work" / form, form.endswith(".parquet"))
        (folder / "tmp").mkdir(exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AUCLI_")},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")]),
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(folder / "tmp"),
            **variables,
        }
        words = ["extract", str(videos), "-o", f"work/{form}", "--jobs", "2", "--device", "cpu", "--quiet"]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE, *words],
            cwd=folder,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return sorted(member for member, parent in members(pid).items() if parent == pid)

    @property
    def busy_workers(self) -> list[int]:
        """Those that have the rows of a video open, so that they are at work on it."""
        return [pid for pid in self.workers if any(name.endswith(".arrows") for name in _open_files(pid))]

    @property
    def records(self) -> int:
        """How many videos are recorded as finished; -1 before the run has begun with its inputs."""
        try:
            names = [path.name for path in self.place.work.iterdir()]
        except OSError:
            return -1
        if "manifest.json" not in names:
            return -1
        return sum(name.endswith(".json") for name in names) - 1

    def phase(self, inputs: int) -> str:
        """Where the run with so many inputs is, as far as can be seen from outside."""
        if self.is_over:
            return "over"
        found = self.records
        if found < 0:
            return "end" if self.place.report.exists() else "start"
        return "merge" if found == inputs else "videos" if found else "first videos"

    def wait_until(self, moment: Moment) -> None:
        """Until the moment, or until the run is over."""
        while moment.records is not None and self.records < moment.records and not self.is_over:
            time.sleep(_POLL_SECONDS)
        begun = self.started if moment.records is None else time.monotonic()
        while time.monotonic() < begun + moment.seconds and not self.is_over:
            time.sleep(_POLL_SECONDS)

    def end(self, limit_seconds: float) -> tuple[int | None, str]:
        """Exit code and standard error once the command is over; None for one that hung and was killed."""
        try:
            code: int | None = self.process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            code = None
            self.end_all()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace")
        self._said.close()
        return code, said

    def left_after(self, seconds: float) -> list[int]:
        """Processes of the run that still live so long after it, unless all are gone before."""
        deadline = time.monotonic() + seconds
        while left := list(members(self.process.pid)):
            if time.monotonic() > deadline:
                return left
            time.sleep(0.02)
        return []

    def end_all(self) -> None:
        """Kill whatever is left of this run."""
        for pid in [self.process.pid, *members(self.process.pid)]:
            with suppress(ProcessLookupError):
                if pid != self.process.pid or not self.is_over:
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Moment:
    """When to disturb a run: `seconds` after its start, or after it has recorded that many videos.

    records: 0: as soon as it has begun with its inputs.
    """

    def __init__(self, records: int | None, seconds: float) -> None:
        self.records, self.seconds = records, seconds


def _open_files(pid: int) -> list[str]:
    names = []
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                names.append(str(link.readlink()))
    return names


# -- what must be true afterwards ----------------------------------------------------------------


class Wanted:
    """The output of a run that nothing disturbed."""

    def __init__(self, work: Path, form: str) -> None:
        self.form = form
        place = OutputPlace(work / form, form.endswith(".parquet"))
        self.hashes = hashes_below(work, place.report)
        self.rows = rows_of(work, form)
        self.inputs = {entry["video"]: entry["rows"] for entry in entries_of(place.report)}
        self.bytes = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
        self.table = table_of(work, form)


def hashes_below(folder: Path, report: Path) -> dict[str, str]:
    """Of each file; of folders and the report, which has times in it, only that they are there."""
    return {
        str(path.relative_to(folder)): "there"
        if path == report or path.is_dir()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
    }


def entries_of(report: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(report.read_bytes())["entries"]
    return found


def parquet_files(work: Path, form: str) -> list[Path]:
    """All that stands under a final name."""
    path = work / form
    if form.endswith(".parquet"):
        return [path] if path.exists() else []
    return [file for file in sorted(path.rglob("*.parquet")) if ".parts" not in file.parts]


def table_of(work: Path, form: str) -> pa.Table:
    tables = [pq.read_table(file).replace_schema_metadata() for file in parquet_files(work, form)]
    return pa.concat_tables(tables) if tables else pa.table({"video": [], "frame": [], "track": []})


def rows_of(work: Path, form: str) -> Counter[tuple[object, ...]]:
    """How often there is a row of each video, frame and person."""
    columns = [table_of(work, form).column(name).to_pylist() for name in ("video", "frame", "track")]
    return Counter(zip(*columns, strict=True))


def judge_unfinished(work: Path, wanted: Wanted) -> list[str]:
    """What is wrong with an output whose run was disturbed: what stands under a final name must be whole."""
    wrong = []
    for file in parquet_files(work, wanted.form):
        try:
            pq.read_table(file)
        except (OSError, pa.ArrowException) as error:
            wrong.append(f"{file.name} stands there and cannot be read: {error}")
    if wrong:
        return wrong
    rows = rows_of(work, wanted.form)
    for video in {row[0] for row in rows}:
        if {key: n for key, n in rows.items() if key[0] == video} != {
            key: n for key, n in wanted.rows.items() if key[0] == video
        }:
            wrong.append(f"the output has some rows of {video} only, or others")
    report = OutputPlace(work / wanted.form, wanted.form.endswith(".parquet")).report
    if report.exists():
        wrong += judge_report(report, wanted, finished=False)
    return wrong


def judge_report(report: Path, wanted: Wanted, *, finished: bool) -> list[str]:
    """What is wrong with a report: each input once, with its rows or a reason."""
    try:
        entries = entries_of(report)
    except (OSError, ValueError, KeyError) as error:
        return [f"the report cannot be read: {error!r}"]
    names = [str(entry["video"]) for entry in entries]
    wrong = []
    if sorted(names) != sorted(wanted.inputs):
        wrong.append(f"the report names {names}")
    for entry in entries:
        whole = entry["status"] == "ok" and entry["rows"] == wanted.inputs.get(entry["video"])
        if not whole and (finished or not entry["reason"]):
            what = ", ".join(f"{name} {entry[name]}" for name in ("status", "rows", "reason"))
            wrong.append(f"the report says of {entry['video']}: {what}")
    return wrong


def judge_finished(
    work: Path, wanted: Wanted, seen: Counter[str], *, exact: bool = True, tmp: Path | None = None
) -> list[str]:
    """What is wrong with the output once the same command has run to its end; counts go to `seen`.

    exact: the same bytes; else the same rows with scores within `TOLERANCE`.
    tmp: the runs' TMPDIR, where nothing of aucli may be left; torch has a folder there.
    """
    place = OutputPlace(work / wanted.form, wanted.form.endswith(".parquet"))
    hashes = hashes_below(work, place.report)
    stray = [*(set(hashes) - set(wanted.hashes)), *([] if tmp is None else tmp.glob("aucli*"))]
    seen["stray_files"] += len(stray)
    wrong = [f"{name} is left behind" for name in sorted(map(str, stray))]
    wrong += judge_report(place.report, wanted, finished=True)
    if exact and hashes == wanted.hashes:
        return wrong
    rows = rows_of(work, wanted.form)
    lost, doubled = wanted.rows - rows, rows - wanted.rows
    seen["lost_rows"] += lost.total()
    seen["doubled_rows"] += doubled.total()
    if lost or doubled:
        wrong.append(f"{lost.total()} rows are lost, {doubled.total()} are there that should not be")
    elif exact:
        differing = sorted(name for name in wanted.hashes if hashes.get(name) != wanted.hashes[name])
        wrong += [f"other bytes in {', '.join(differing)}"] if differing else []
    elif not _close(table_of(work, wanted.form), wanted.table):
        wrong.append(f"scores differ by more than {TOLERANCE:g}")
    return wrong


def _close(found: pa.Table, wanted: pa.Table) -> bool:
    if found.schema != wanted.schema:
        return False
    for ours, theirs in zip(found.columns, wanted.columns, strict=True):
        if not pa.types.is_floating(ours.type):
            # A score on its threshold may fall to either side.
            if not pa.types.is_boolean(ours.type) and ours != theirs:
                return False
            continue
        for one, other in zip(ours.to_pylist(), theirs.to_pylist(), strict=True):
            if (one is None) != (other is None) or (one is not None and abs(one - other) > TOLERANCE):
                return False
    return True


# -- lanes ---------------------------------------------------------------------------------------


class Lane:
    """A folder with clips, in which one run after the other is disturbed."""

    def __init__(self, folder: Path, frames: Mapping[str, int] = FRAMES) -> None:
        self.folder = folder
        folder.mkdir()
        self.videos = make_clips(folder / "videos", frames)
        self._before = _stamps(self.videos)
        self._wanted: dict[str, Wanted] = {}
        self.seconds = 0.0
        self.worker_bytes = 0
        self.wanted("out.parquet")

    def wanted(self, form: str) -> Wanted:
        """The output of an undisturbed run, made when it is first needed."""
        if form not in self._wanted:
            place = self.folder / f"undisturbed-{form}"
            (place / "work").mkdir(parents=True)
            run = Run(place, self.videos, form, {})
            while not run.is_over:
                for pid in run.workers:
                    self.worker_bytes = max(self.worker_bytes, resident_bytes(pid))
                time.sleep(0.05)
            self.seconds = max(self.seconds, time.monotonic() - run.started)
            code, said = run.end(1)
            if code != 0:
                raise RuntimeError(f"the undisturbed run failed ({code}): {said}")
            self._wanted[form] = Wanted(place / "work", form)
        return self._wanted[form]

    def changed_inputs(self) -> list[str]:
        return [] if _stamps(self.videos) == self._before else ["the folder of the inputs has changed"]


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}
