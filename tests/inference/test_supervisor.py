import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from aucli.errors import CheckpointError, OutputError, WorkerError
from aucli.inference.events import VideoProgress, VideoStarted, WorkerLost
from aucli.inference.supervisor import StandingWorker, Task, TaskFailure, run_tasks, stop_on_sigterm

FUNCTIONS = "tests.inference.worker_functions"
ROOT = Path(__file__).parents[2]


def run(payloads, *, workers=2, setup="setup", kwargs=None, on_event=lambda event: None, **options):
    """All outcomes by task name."""
    tasks = [
        Task(name, {"name": name, **payload}, payload.get("weight", 0)) for name, payload in payloads.items()
    ]
    setup_kwargs = kwargs or [{"number": number} for number in range(workers)]
    outcomes = run_tasks(
        tasks, setup=f"{FUNCTIONS}:{setup}", setup_kwargs=setup_kwargs, on_event=on_event, **options
    )
    with closing(outcomes):
        return {task.video: outcome for task, outcome in outcomes}


def children():
    """Processes whose parent is this one, zombies included."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(status.parent.name))
    return found


def is_gone(pid, within_seconds):
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # dead; whoever adopted it has not asked yet
            return True
        time.sleep(0.02)
    return False


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def no_child_left():
    before, descriptors = set(children()), open_descriptors()
    yield
    assert set(children()) == before
    assert open_descriptors() == descriptors


def test_every_task_has_its_own_result():
    payloads = {str(i): {"do": "square", "value": i} for i in range(20)}
    assert run(payloads) == {str(i): i * i for i in range(20)}


def test_no_tasks_start_no_worker():
    assert run({}) == {}


def test_fewer_tasks_than_workers_start_fewer(tmp_path):
    payloads = {"a": {"do": "square", "value": 3}}
    assert run(payloads, kwargs=[{"log": str(tmp_path / "log")}] * 5) == {"a": 9}
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_heavier_tasks_start_first_and_equal_ones_in_order(tmp_path):
    weights = {"a": 1, "b": 5, "c": 3, "d": 5, "e": 0}
    payloads = {name: {"do": "square", "value": 1, "weight": weight} for name, weight in weights.items()}
    run(payloads, kwargs=[{"log": str(tmp_path / "log")}])
    assert [line.split()[2] for line in (tmp_path / "log").read_text().splitlines()] == [
        "b",
        "d",
        "c",
        "a",
        "e",
    ]


def test_a_long_task_does_not_hold_up_the_others(tmp_path):
    payloads = {"long": {"do": "sleep", "seconds": 1.5, "weight": 9}}
    payloads |= {str(i): {"do": "square", "value": i} for i in range(10)}
    assert list(run(payloads)) == [*map(str, range(10)), "long"]


def test_events_arrive_in_order_before_the_result():
    seen = []
    run({"clip": {"do": "progress"}}, on_event=seen.append)
    assert seen == [VideoProgress("clip", frames) for frames in range(3)]


def test_a_killed_worker_is_replaced_and_its_task_done_again(tmp_path):
    seen = []
    payloads = {str(i): {"do": "square", "value": i} for i in range(8)}
    payloads["victim"] = {"do": "die_once", "marker": str(tmp_path / "marker"), "weight": 1}
    outcomes = run(payloads, on_event=seen.append)
    assert outcomes.pop("victim") == "second time"
    assert outcomes == {str(i): i * i for i in range(8)}
    assert seen == [WorkerLost("victim", "signal 9", retry=True)]


def test_a_worker_killed_from_outside_in_the_middle_of_a_task():
    killed = []

    def kill_first(event):
        if isinstance(event, VideoStarted) and not killed:
            killed.append(event.worker)
            os.kill(event.worker, signal.SIGKILL)

    outcomes = run({name: {"do": "sleep", "seconds": 0.3} for name in "abc"}, on_event=kill_first)
    assert outcomes == dict.fromkeys("abc", "slept")
    assert len(killed) == 1


def test_a_task_that_always_kills_its_worker_fails_and_the_others_go_on():
    seen = []
    payloads = {str(i): {"do": "square", "value": i} for i in range(6)}
    payloads["bad"] = {"do": "die", "signal": signal.SIGKILL, "weight": 1}
    payloads["worse"] = {"do": "die", "signal": signal.SIGSEGV, "weight": 1}
    outcomes = run(payloads, on_event=seen.append)
    assert outcomes.pop("bad").reason.startswith("worker died (signal 9) twice")
    assert outcomes.pop("worse").reason == "worker died (signal 11) twice"
    assert outcomes == {str(i): i * i for i in range(6)}
    assert [event.retry for event in seen if event.video == "bad"] == [True, False]


def test_number_of_retries(tmp_path):
    log = tmp_path / "log"
    outcomes = run({"bad": {"do": "leave"}}, kwargs=[{"log": str(log)}], retries=0)
    assert outcomes["bad"].reason == "worker died (exit code 7)"
    outcomes = run({"bad": {"do": "leave"}}, kwargs=[{"log": str(log)}], retries=2)
    assert outcomes["bad"].reason == "worker died (exit code 7) 3 times"
    assert len({line.split()[1] for line in log.read_text().splitlines()}) == 4  # each time a fresh process


def test_only_the_last_task_left_kills_its_only_worker(tmp_path):
    payloads = {"victim": {"do": "die_once", "marker": str(tmp_path / "marker")}}
    assert run(payloads, workers=1) == {"victim": "second time"}


def test_an_error_of_ours_is_a_failure_with_its_message(tmp_path):
    log = tmp_path / "log"
    payloads = {"bad": {"do": "refuse", "weight": 1}, "good": {"do": "square", "value": 2}}
    outcomes = run(payloads, kwargs=[{"log": str(log)}])
    assert outcomes["bad"].reason == "clip.mp4: cannot be decoded"
    assert "Traceback" in outcomes["bad"].details
    assert "_refuse" in outcomes["bad"].details
    assert outcomes["good"] == 4
    assert len({line.split()[1] for line in log.read_text().splitlines()}) == 1  # the worker stayed


def test_an_unforeseen_error_is_a_failure_and_the_worker_is_replaced(tmp_path):
    log = tmp_path / "log"
    payloads = {"bad": {"do": "break", "weight": 1}, "good": {"do": "square", "value": 2}}
    outcomes = run(payloads, kwargs=[{"log": str(log)}])
    assert isinstance(outcomes["bad"], TaskFailure)
    assert outcomes["bad"].reason.startswith("KeyError: ")
    assert "\n" not in outcomes["bad"].reason
    assert outcomes["good"] == 4
    assert len({line.split()[1] for line in log.read_text().splitlines()}) == 2


def test_a_result_that_cannot_travel_is_a_failure():
    outcomes = run({"bad": {"do": "unpicklable", "weight": 1}, "good": {"do": "square", "value": 2}})
    assert isinstance(outcomes["bad"], TaskFailure)
    assert outcomes["good"] == 4


def test_an_output_error_ends_the_run():
    payloads = {"full": {"do": "disk_full", "weight": 1}} | {
        str(i): {"do": "sleep", "seconds": 5} for i in range(9)
    }
    started = time.monotonic()
    with pytest.raises(OutputError, match="No space left on device"):
        run(payloads)
    assert time.monotonic() - started < 5


def test_a_refused_setup_is_raised_with_its_class_and_message():
    with pytest.raises(CheckpointError) as raised:
        run({"a": {"do": "square", "value": 1}}, setup="setup_refused")
    assert str(raised.value) == "weights.safetensors: is damaged"
    assert "setup_refused" in raised.value.__notes__[0]


def test_a_broken_setup_is_a_worker_error():
    with pytest.raises(WorkerError, match="ZeroDivisionError: not foreseen"):
        run({"a": {"do": "square", "value": 1}}, setup="setup_broken")
    with pytest.raises(WorkerError, match="no_such_function"):
        run({"a": {"do": "square", "value": 1}}, setup="no_such_function")


def test_a_setup_that_dies_is_tried_twice(tmp_path):
    with pytest.raises(WorkerError, match=r"died \(signal 9\) twice while it started"):
        run({"a": {"do": "square", "value": 1}}, setup="setup_dies")
    kwargs = [{"marker": str(tmp_path / "marker")}]
    assert run({"a": {"do": "square", "value": 3}}, setup="setup_dies_once", kwargs=kwargs) == {"a": 9}


def test_starts_that_fail_count_only_in_a_row(tmp_path):
    """Two workers that died while they started, hours apart, do not end a long run."""
    payloads = {
        "a": {"do": "die_once", "marker": str(tmp_path / "a"), "weight": 2},
        "b": {"do": "die_once", "marker": str(tmp_path / "b")},
    }
    kwargs = [{"log": str(tmp_path / "log")}]
    outcomes = run(payloads, setup="setup_dies_every_second_time", kwargs=kwargs)
    assert outcomes == {"a": "second time", "b": "second time"}
    assert len((tmp_path / "log").read_text().splitlines()) == 6


def test_workers_do_not_write_to_our_standard_output(capfd):
    run({"a": {"do": "print"}}, workers=1)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "more chatter" in captured.err


def test_the_environment_of_each_worker_is_its_own():
    payloads = {str(i): {"do": "environment", "names": ["NUMBER", "PATH"]} for i in range(8)}
    environments = [{"NUMBER": "one"}, {"NUMBER": "two"}]
    outcomes = run(payloads, environments=environments)
    assert {outcome["NUMBER"] for outcome in outcomes.values()} <= {"one", "two"}
    assert {outcome["PATH"] for outcome in outcomes.values()} == {os.environ["PATH"]}
    assert "NUMBER" not in os.environ


def test_workers_have_our_module_path():
    assert run({"a": {"do": "path"}}, workers=1) == {"a": sys.path}


def test_a_large_result_travels_whole():
    assert len(run({"a": {"do": "big", "bytes": 20_000_000}}, workers=1)["a"]) == 20_000_000


def test_the_loss_of_a_worker_is_seen_although_its_own_child_lives_on(tmp_path):
    marker = tmp_path / "marker"
    started = time.monotonic()
    outcomes = run({"a": {"do": "grandchild", "marker": str(marker)}}, workers=1, retries=0)
    assert time.monotonic() - started < 10
    os.kill(int(marker.read_text()), signal.SIGKILL)
    assert outcomes["a"].reason.startswith("worker died (signal 9)")


def test_closing_in_the_middle_ends_all_workers():
    tasks = [Task("short", {"do": "square", "value": 2}, 1)]
    tasks += [Task(f"{i}", {"do": "sleep", "seconds": 60, "name": f"{i}"}) for i in range(3)]
    outcomes = run_tasks(
        tasks, setup=f"{FUNCTIONS}:setup", setup_kwargs=[{}, {}], on_event=lambda event: None
    )
    assert next(outcomes)[1] == 4
    assert len(children()) >= 2
    started = time.monotonic()
    outcomes.close()
    assert time.monotonic() - started < 2


def test_an_error_in_the_event_hook_ends_all_workers():
    def hook(event):
        raise RuntimeError("hook")

    with pytest.raises(RuntimeError, match="hook"):
        run({name: {"do": "sleep", "seconds": 60} for name in "ab"}, on_event=hook)


def test_interrupt_while_a_setup_runs():
    threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run({"a": {"do": "square", "value": 1}}, setup="setup_slow")
    assert time.monotonic() - started < 5


SCRIPT = """
    import sys
    from contextlib import closing
    from aucli.inference.supervisor import Task, run_tasks, stop_on_sigterm

    # No main guard, on purpose: a worker must not import this script again.
    tasks = [Task(str(i), {"do": "sleep", "seconds": 60, "name": str(i)}) for i in range(4)]
    outcomes = run_tasks(
        tasks, setup="tests.inference.worker_functions:setup", setup_kwargs=[{}, {}],
        on_event=lambda event: print(event.worker, flush=True),
    )
    try:
        with stop_on_sigterm(), closing(outcomes):
            for outcome in outcomes:
                pass
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture
def script(tmp_path):
    """A running program with two busy workers in its own group of processes; their numbers."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")])}
    process = subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        process_group=0,
    )
    workers = [int(process.stdout.readline()) for _ in range(2)]
    yield process, workers
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def test_workers_of_a_killed_parent_end_themselves(script):
    process, workers = script
    process.send_signal(signal.SIGKILL)
    assert all(is_gone(pid, within_seconds=2) for pid in workers)


def test_sigterm_ends_the_workers_and_leaves_with_143(script):
    process, workers = script
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 143
    assert all(is_gone(pid, within_seconds=0.1) for pid in workers)


def test_ctrl_c_to_the_whole_group_is_quiet_and_quick(script):
    process, workers = script
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=5) == 130
    assert all(is_gone(pid, within_seconds=0.1) for pid in workers)
    assert process.stderr.read() == ""


def test_stop_on_sigterm_puts_the_handler_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left, stop_on_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_supervisor_imports_nothing_heavy():
    code = "import sys, aucli.inference.supervisor; print({'torch', 'av', 'cv2', 'timm'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")])}
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert printed.stdout == "set()\n"


# -- a worker that stands between tasks ---------------------------------------------------------


@pytest.fixture
def standing(tmp_path):
    worker = StandingWorker(f"{FUNCTIONS}:setup", {"log": str(tmp_path / "log")}, {})
    yield worker
    worker.stop()
    assert children() == []


def one(standing, events=None, **payload):
    return standing.run(Task(payload["do"], {"name": payload["do"], **payload}), (events or []).append)


def test_one_process_serves_task_after_task(standing, tmp_path):
    assert children() == []  # nothing before the first task
    assert [one(standing, do="square", value=value) for value in range(3)] == [0, 1, 4]
    assert one(standing, do="refuse").reason == "clip.mp4: cannot be decoded"
    assert one(standing, do="square", value=5) == 25
    processes = {line.split()[1] for line in (tmp_path / "log").read_text().splitlines()}
    assert len(processes) == 1


def test_a_standing_worker_that_dies_is_replaced(standing, tmp_path):
    events = []
    assert (
        standing.run(
            Task("v", {"do": "die_once", "name": "v", "marker": str(tmp_path / "marker")}), events.append
        )
        == "second time"
    )
    assert [(event.video, event.retry) for event in events] == [("v", True)]
    assert one(standing, do="die", signal=signal.SIGKILL).reason.startswith("worker died (signal 9) twice")
    assert "KeyError" in one(standing, do="break").reason
    assert one(standing, do="square", value=3) == 9
    (process,) = children()
    os.kill(process, signal.SIGKILL)  # while it waits
    assert is_gone(process, 5)
    assert one(standing, do="square", value=4) == 16


def test_a_standing_worker_rests_and_stops(standing):
    one(standing, do="square", value=1)
    assert len(children()) == 1
    standing.rest()
    assert children() == []
    assert one(standing, do="square", value=2) == 4  # a fresh one
    threading.Timer(0.5, standing.stop).start()
    start = time.monotonic()
    with pytest.raises(WorkerError, match="stopped"):
        one(standing, do="sleep", seconds=60)
    assert time.monotonic() - start < 20
    deadline = time.monotonic() + 10
    while children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children() == []


def test_what_the_set_up_of_a_standing_worker_raises_is_raised():
    worker = StandingWorker(f"{FUNCTIONS}:setup_refused", {}, {})
    with pytest.raises(CheckpointError, match="is damaged"):
        one(worker, do="square", value=1)
    assert children() == []


def test_outcomes_may_change_what_is_still_to_do():
    def payload(**more):
        return {"do": "square", "value": 3, "name": "more", **more}

    tasks = [Task(str(number), payload(value=number), weight=10 - number) for number in range(4)]
    seen = []

    def settle(task, outcome, todo):
        seen.append(task.video)
        if task.video == "0":
            assert todo.drop(tasks[2])
            assert not todo.drop(tasks[2])
            assert not todo.drop(task)
            todo.add(Task("first", payload(), weight=100))  # before what waits
        if task.video == "3":  # the worker has nothing more to do and waits
            todo.add(Task("dies", payload(do="die", signal=signal.SIGKILL)))
        if task.video == "dies":  # and none is left
            assert isinstance(outcome, TaskFailure)
            todo.add(Task("last", payload()))
        return task.video != "1"

    outcomes = run_tasks(
        tasks,
        setup=f"{FUNCTIONS}:setup",
        setup_kwargs=[{"number": 0}],
        on_event=lambda event: None,
        retries=0,
        settle=settle,
    )
    with closing(outcomes):
        yielded = [task.video for task, _ in outcomes]
    assert seen == ["0", "1", "first", "3", "dies", "last"]
    assert yielded == ["0", "first", "3", "dies", "last"]
