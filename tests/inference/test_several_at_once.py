"""Workers that are on several tasks at a time: who is given what, and who is blamed when one goes wrong."""

import signal
from collections import Counter
from contextlib import closing

import pytest

from aucli.inference.events import VideoStarted, WorkerLost
from aucli.inference.supervisor import Task, TaskFailure, run_tasks
from aucli.inference.watch import Limits
from tests.inference.test_supervisor import children

SETUP = "tests.inference.worker_functions:setup_several"


@pytest.fixture
def run(tmp_path):
    """Runs tasks, each a name and a payload; gives all outcomes by name, and the events."""
    folder = tmp_path / "here"
    folder.mkdir()

    def run(payloads, *, workers=1, at_once=3, limits=None, retries=1):
        events = []
        tasks = [
            Task(name, {"name": name, "folder": str(folder), **payload}, payload.get("weight", 0))
            for name, payload in payloads.items()
        ]
        outcomes = run_tasks(
            tasks,
            setup=SETUP,
            setup_kwargs=[
                {"number": n, "log": str(tmp_path / "log"), "tasks_at_once": at_once} for n in range(workers)
            ],
            on_event=events.append,
            limits=limits,
            retries=retries,
        )
        with closing(outcomes):
            return {task.video: outcome for task, outcome in outcomes}, events

    yield run
    assert children() == []


@pytest.fixture
def starts(tmp_path):
    """How often each task was begun, and in which process."""

    def starts():
        lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
        return Counter(name for _, _, name in lines), [(pid, name) for _, pid, name in lines]

    return starts


def test_one_process_has_as_many_tasks_as_it_takes(run):
    outcomes, _ = run({str(number): {"do": "meet", "tasks": 4, "seconds": 1} for number in range(7)})
    assert max(outcomes.values()) == 3
    assert len(outcomes) == 7


def test_few_tasks_are_shared_out(run):
    """Else the process that is ready first would take all, and another GPU have none."""
    outcomes, _ = run({str(n): {"do": "meet", "tasks": 3, "seconds": 1} for n in range(4)}, workers=2)
    assert outcomes == dict.fromkeys("0123", 2)


def test_the_longest_are_not_all_with_one(run, starts):
    payloads = {
        str(n): {"do": "meet", "tasks": 99, "seconds": 2, "weight": weight}
        for n, weight in enumerate((9, 8, 2, 1))
    }
    run(payloads, workers=2)
    process = {name: pid for pid, name in starts()[1]}
    assert process["0"] == process["3"] != process["1"] == process["2"]


def test_events_of_tasks_do_not_mix_and_results_are_each_its_own(run):
    payloads = {str(number): {"do": "square", "value": number} for number in range(30)}
    payloads |= {f"slow {n}": {"do": "sleep", "seconds": 0.2} for n in range(6)}
    outcomes, events = run(payloads, workers=2)
    assert {name: outcomes.pop(f"slow {name}") for name in range(6)} == dict.fromkeys(range(6), "slept")
    assert outcomes == {str(number): number**2 for number in range(30)}
    assert sorted(event.video for event in events) == [f"slow {n}" for n in range(6)]


def test_one_that_kills_its_process_is_found_out_and_the_others_are_done(run, starts):
    payloads = {
        "bad": {"do": "die_in_company", "signal": signal.SIGSEGV, "tasks": 3, "seconds": 1, "weight": 9}
    }
    payloads |= {name: {"do": "meet", "tasks": 99, "seconds": 1.5, "weight": 8} for name in ("good", "fine")}
    payloads |= {str(number): {"do": "square", "value": number} for number in range(4)}
    outcomes, events = run(payloads)
    assert outcomes["bad"].reason == "worker died (signal 11) twice"
    assert (outcomes["good"], outcomes["fine"]) == (1, 1), "each was alone"
    assert {name: outcomes[name] for name in "0123"} == {str(n): n * n for n in range(4)}
    lost = [(event.video, event.retry) for event in events if isinstance(event, WorkerLost)]
    # Once together, then the bad one alone, twice.
    assert sorted(lost[:3]) == [("bad", True), ("fine", True), ("good", True)]
    assert lost[3:] == [("bad", True), ("bad", False)]
    begun = starts()[0]
    assert (begun["bad"], begun["good"], begun["fine"]) == (3, 2, 2)


def test_an_error_that_nobody_foresaw_is_one_tasks_and_the_others_are_done_again(run):
    payloads = {"bad": {"do": "break_in_company", "tasks": 3, "weight": 9}}
    payloads |= {name: {"do": "meet", "tasks": 3, "seconds": 1, "weight": 8} for name in ("good", "fine")}
    outcomes, events = run(payloads)
    assert outcomes["bad"].reason.startswith("KeyError")
    assert not isinstance(outcomes["good"], TaskFailure)
    assert not isinstance(outcomes["fine"], TaskFailure)
    assert events == []


def test_a_refused_task_leaves_its_company_alone(run, starts):
    payloads = {
        "bad": {"do": "refuse"},
        "good": {"do": "sleep", "seconds": 0.5},
        "fine": {"do": "sleep", "seconds": 0.5},
    }
    outcomes, _ = run(payloads)
    assert outcomes["bad"].reason == "clip.mp4: cannot be decoded"
    assert (outcomes["good"], outcomes["fine"]) == ("slept", "slept")
    assert len({pid for pid, _ in starts()[1]}) == 1


def test_one_that_hangs_is_given_up_and_those_that_go_on_are_done_again(run):
    payloads = {"hangs": {"do": "hang_in_company", "tasks": 1, "weight": 9}}
    payloads |= {
        name: {"do": "steady", "steps": 14, "seconds": 0.4, "weight": 8} for name in ("good", "fine")
    }
    outcomes, events = run(payloads, limits=Limits(stall_seconds=4))
    assert outcomes["hangs"].reason.startswith("no progress for 4 seconds")
    assert (outcomes["good"], outcomes["fine"]) == ("steady", "steady")
    assert [(event.video, event.retry) for event in events if isinstance(event, WorkerLost)] == [
        ("hangs", False)
    ]


def test_when_several_are_silent_each_has_a_second_chance_alone(run, tmp_path):
    """As when a GPU hangs: it need not be the video's fault."""
    payloads = {"hangs": {"do": "hang_in_company", "tasks": 1, "weight": 9}}
    payloads |= {
        name: {"do": "hang_once", "marker": str(tmp_path / name), "weight": 8} for name in ("good", "fine")
    }
    outcomes, events = run(payloads, limits=Limits(stall_seconds=4))
    assert outcomes["hangs"].reason.startswith("no progress for 4 seconds")
    assert (outcomes["good"], outcomes["fine"]) == ("second time", "second time")
    lost = [(event.video, event.retry) for event in events if isinstance(event, WorkerLost)]
    assert sorted(lost[:3]) == [("fine", True), ("good", True), ("hangs", True)]
    assert lost[3:] == [("hangs", False)]


def test_too_much_memory_is_looked_for_one_by_one(run):
    payloads = {"hog": {"do": "hog_in_company", "bytes": 400_000_000, "tasks": 3, "seconds": 1, "weight": 9}}
    payloads |= {name: {"do": "meet", "tasks": 99, "seconds": 3, "weight": 8} for name in ("good", "fine")}
    outcomes, events = run(payloads, limits=Limits(memory_bytes=300_000_000))
    assert "GB of memory, more than 0.3 GB" in outcomes["hog"].reason
    assert not isinstance(outcomes["good"], TaskFailure)
    assert not isinstance(outcomes["fine"], TaskFailure)
    lost = [(event.video, event.retry) for event in events]
    assert sorted(lost[:3]) == [("fine", True), ("good", True), ("hog", True)]
    assert lost[3:] == [("hog", False)]


def test_without_retries_company_still_has_its_second_chance(run):
    payloads = {
        "bad": {"do": "die_in_company", "signal": signal.SIGKILL, "tasks": 2, "seconds": 1, "weight": 9}
    }
    payloads["good"] = {"do": "meet", "tasks": 99, "seconds": 1}
    outcomes, events = run(payloads, retries=0)
    assert outcomes["bad"].reason.startswith("worker died (signal 9)")
    assert not isinstance(outcomes["good"], TaskFailure)
    assert not any(isinstance(event, VideoStarted) for event in events)
