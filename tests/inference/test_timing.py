"""Stage times against sleeps of known length; waits of a queue; nothing where nobody asked."""

import threading
import time

import pytest

from aucli.inference.prefetch import prefetch
from aucli.inference.timing import MERGE_SECONDS, UNTIMED, StageTimer


def test_sums_are_those_of_the_work_in_all_threads():
    timer = StageTimer()

    def work():
        with timer("detect"):
            time.sleep(0.05)

    threads = [threading.Thread(target=work, name=f"t{number}") for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = timer.take()
    assert times.busy["detect"] == pytest.approx(sum(span.seconds for span in times.spans), abs=1e-6)
    assert times.busy["detect"] >= 0.15
    assert {span.thread for span in times.spans} == {"t0", "t1", "t2"}
    assert all(abs(span.start_seconds - time.time()) < 10 for span in times.spans)
    assert timer.take().busy == {}  # taken once


def test_work_of_a_generator_is_counted_and_the_consumers_is_not():
    timer = StageTimer()

    def source():
        for number in range(3):
            time.sleep(0.02)
            yield number

    got = []
    for item in timer.each("decode", source()):
        time.sleep(0.1)
        got.append(item)
    assert got == [0, 1, 2]
    assert 0.06 <= timer.take().busy["decode"] < 0.3


def test_stretches_that_follow_each_other_are_one_and_the_sums_stay_exact():
    timer = StageTimer()
    for _ in range(50):
        with timer("decode"):
            pass
    time.sleep(10 * MERGE_SECONDS)
    with timer("decode"):
        time.sleep(0.01)
    times = timer.take()
    assert 2 <= len(times.spans) < 50
    # What is drawn covers the gaps inside a stretch, what is summed does not.
    assert times.busy["decode"] <= sum(span.seconds for span in times.spans) + 1e-9
    assert times.busy["decode"] >= 0.01


def test_an_error_inside_is_timed_and_goes_on():
    timer = StageTimer()
    with pytest.raises(OSError, match="broken"), timer("network"):
        raise OSError("broken")
    assert "network" in timer.take().busy


def test_a_slow_consumer_makes_the_producer_wait_and_the_other_way_round():
    def slow(items, seconds):
        for item in items:
            time.sleep(seconds)
            yield item

    timer = StageTimer()
    fast = prefetch(range(8), 1, timer=timer, producer="decode", consumer="detect")
    assert list(slow(fast, 0.02)) == list(range(8))
    times = timer.take()
    assert times.waiting["decode"] > 0.06
    assert times.waiting.get("detect", 0.0) < times.waiting["decode"]

    timer = StageTimer()
    assert list(prefetch(slow(range(8), 0.02), 1, timer=timer, producer="decode", consumer="detect"))
    times = timer.take()
    assert times.waiting["detect"] > 0.06
    assert times.waiting.get("decode", 0.0) < times.waiting["detect"]
    assert times.busy == {}


def test_the_device_is_waited_for_around_work_only():
    calls = []
    timer = StageTimer(lambda: calls.append("wait"))
    with timer("network"):
        calls.append("work")
    with timer("network", waiting=True):
        calls.append("nothing")
    assert calls == ["wait", "work", "wait", "nothing"]


def test_untimed_reads_no_clock(monkeypatch):
    monkeypatch.setattr(time, "perf_counter", lambda: pytest.fail("the clock was read"))
    with UNTIMED("detect"), UNTIMED("detect", waiting=True):
        pass
    assert list(UNTIMED.each("decode", range(3))) == [0, 1, 2]
    assert list(prefetch(range(3), 1)) == [0, 1, 2]
