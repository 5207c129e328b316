"""Set-up functions and processors that real worker processes run in the supervisor's tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from aucli.errors import CheckpointError, MediaError, OutputError
from aucli.inference.events import VideoProgress, VideoStarted


def setup(number=0, log=None):
    """Does what the payload says and notes each task's start in `log`."""

    def process(payload, send):
        if log is not None:
            with Path(log).open("a") as file:
                file.write(f"{number} {os.getpid()} {payload.get('name')}\n")
        return ACTIONS[payload["do"]](payload, send)

    return process


class SeveralAtOnce:
    """The same for several tasks at a time."""

    def __init__(self, process, tasks_at_once):
        self._process = process
        self.tasks_at_once = tasks_at_once

    def __call__(self, payload, send):
        return self._process(payload, send)


def setup_several(number=0, log=None, tasks_at_once=3):
    return SeveralAtOnce(setup(number, log), tasks_at_once)


def _square(payload, send):
    return payload["value"] ** 2


def _sleep(payload, send):
    send(VideoStarted(payload["name"], 10, os.getpid()))
    time.sleep(payload["seconds"])
    return "slept"


def _meet(payload, send):
    """Waits until so many tasks of this process are here; gives how many there were at most."""
    folder = Path(payload["folder"])
    mine = folder / f"{os.getpid()} {payload['name']}"
    mine.touch()
    deadline = time.monotonic() + payload.get("seconds", 10)
    most = 0
    while most < payload["tasks"] and time.monotonic() < deadline:
        most = max(most, len(list(folder.glob(f"{os.getpid()} *"))))
        time.sleep(0.01)
    mine.unlink()
    return most


def _die_in_company(payload, send):
    """Kills the process as soon as so many tasks are in it, and later at once."""
    _meet(payload, send)
    os.kill(os.getpid(), payload["signal"])
    time.sleep(60)  # in a thread: the signal comes a moment later


def _break_in_company(payload, send):
    _meet(payload, send)
    raise KeyError("nobody foresaw this")


def _hang_in_company(payload, send):
    _meet(payload, send)
    time.sleep(600)


def _hang_once(payload, send):
    marker = Path(payload["marker"])
    if not marker.exists():
        marker.touch()
        time.sleep(600)
    return "second time"


def _hog_in_company(payload, send):
    _meet(payload, send)
    return _hog(payload, send)


def _die(payload, send):
    os.kill(os.getpid(), payload["signal"])


def _die_once(payload, send):
    marker = Path(payload["marker"])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "second time"


def _leave(payload, send):
    os._exit(7)


def _refuse(payload, send):
    raise MediaError("clip.mp4: cannot be decoded")


def _break(payload, send):
    raise KeyError("first line\nsecond line")


def _disk_full(payload, send):
    raise OutputError("cannot write out.parquet: No space left on device")


def _unpicklable(payload, send):
    return lambda: None


def _progress(payload, send):
    for frames in range(3):
        send(VideoProgress(payload["name"], frames))
    return "done"


def _print(payload, send):
    print("chatter of a codec")
    os.system("echo more chatter")
    return "printed"


def _environment(payload, send):
    return {name: os.environ.get(name) for name in payload["names"]}


def _path(payload, send):
    return list(sys.path)


def _grandchild(payload, send):
    """Leaves a process behind that would hold the pipes open if it had inherited them."""
    process = subprocess.Popen(["sleep", "60"], close_fds=False)
    Path(payload["marker"]).write_text(str(process.pid))
    os.kill(os.getpid(), signal.SIGKILL)


def _read_pipe(payload, send):
    """Waits for ever in the system, as for a disk that does not answer: nobody writes into the pipe."""
    return Path(payload["path"]).read_bytes()


def _steady(payload, send):
    for step in range(payload["steps"]):
        time.sleep(payload["seconds"])
        send(VideoProgress(payload["name"], step))
    return "steady"


def _hog(payload, send):
    taken = b"x" * payload["bytes"]
    time.sleep(60)
    return len(taken)


def _big(payload, send):
    return b"x" * payload["bytes"]


ACTIONS = {
    "square": _square,
    "sleep": _sleep,
    "meet": _meet,
    "die_in_company": _die_in_company,
    "break_in_company": _break_in_company,
    "hang_in_company": _hang_in_company,
    "hang_once": _hang_once,
    "hog_in_company": _hog_in_company,
    "die": _die,
    "die_once": _die_once,
    "leave": _leave,
    "refuse": _refuse,
    "break": _break,
    "disk_full": _disk_full,
    "unpicklable": _unpicklable,
    "progress": _progress,
    "print": _print,
    "environment": _environment,
    "path": _path,
    "grandchild": _grandchild,
    "read_pipe": _read_pipe,
    "steady": _steady,
    "hog": _hog,
    "big": _big,
}


def setup_refused(number=0):
    raise CheckpointError("weights.safetensors: is damaged")


def setup_broken(number=0):
    raise ZeroDivisionError("not foreseen")


def setup_dies(number=0):
    os.kill(os.getpid(), signal.SIGKILL)


def setup_dies_once(marker):
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return setup()


def setup_dies_every_second_time(log):
    with Path(log).open("a+") as file:
        file.write("start\n")
        file.seek(0)
        starts = len(file.readlines())
    if starts % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return setup()


def setup_slow(number=0):
    time.sleep(30)
