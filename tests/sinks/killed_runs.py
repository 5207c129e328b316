"""Run as a program: the same small run, killed at each of its operations on files, then started again.

`python killed_runs.py FOLDER OUTPUT_NAME`: prints one JSON line per moment of the kill. The kill is a real
SIGKILL in a forked child, sent from an audit hook just before the n-th operation that changes the disk or
makes it durable.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

from aucli.sinks.rows import rows_to_batch
from tests.sinks.recipes import SCHEMA, make_rows, small_run

VIDEOS = {"a.mp4": 1, "b.mp4": 2}
OPERATIONS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "fcntl.flock"}


def changes_files(event, arguments):
    if event == "open":  # for writing, or a folder for its fsync
        return bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_DIRECTORY))
    return event in OPERATIONS


def main(folder, output_name):
    # What pyarrow imports on first use is imported here, once, and not in each child.
    rows_to_batch(SCHEMA, make_rows(1), video="a.mp4").slice(0, 1).to_pandas()

    def run(output, log, kill_at=None):
        """Exit status of the run in a child: 0, or 9 when it was killed."""
        child = os.fork()
        if child == 0:
            count = 0

            def kill_in_time(event, arguments):
                nonlocal count
                if changes_files(event, arguments):
                    count += 1
                    if count == kill_at:
                        os.kill(os.getpid(), signal.SIGKILL)

            if kill_at is not None:
                sys.addaudithook(kill_in_time)
            small_run(output, VIDEOS, log=log)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    moment, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        moment += 1
        place = folder / str(moment)
        place.mkdir()
        output, log = place / output_name, place / "log"
        log.touch()
        status = run(output, log, kill_at=moment)
        done_before = log.read_text().split()
        recorded = committed(place, output)
        assert run(output, log) == 0
        print(
            json.dumps(
                {
                    "status": status,
                    "done_before": done_before,
                    "recorded": recorded,
                    "done_after": log.read_text().split()[len(done_before) :],
                    "files": contents(place),
                }
            ),
            flush=True,
        )


def committed(place, output):
    """The videos whose record or whose final rows stood on disk."""
    found = set()
    records = [path for path in place.rglob("*.json") if path.name not in ("manifest.json", "report.json")]
    for path in records:
        value = json.loads(path.read_bytes())
        found |= {entry["video"] for entry in value.get("entries", [value])}
    if (place / output.name / "report.json").exists():
        found |= set(VIDEOS)
    return sorted(found)


def contents(place):
    """Hash of each file by its name; of the report only that it is there."""
    return {
        str(path.relative_to(place)): "report"
        if path.suffix == ".json"
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name != "log"
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
