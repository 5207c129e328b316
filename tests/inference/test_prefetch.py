"""The thread between two stages: order, bounds, errors, and no thread left behind."""

import itertools
import threading
import time

import pytest

from aucli.inference.prefetch import prefetch


def test_same_items_in_order():
    assert list(prefetch(range(100), 3)) == list(range(100))


def test_never_more_than_the_queue_ahead():
    made = []
    source = (made.append(i) or i for i in range(50))
    stage = prefetch(source, 4)
    for item in stage:
        time.sleep(0.001)
        assert len(made) <= item + 1 + 4 + 1 + 1  # in the queue, in the producer's hand, being compared


def test_an_error_arrives_after_the_items_before_it():
    def source():
        yield 1
        yield 2
        raise OSError("broken")

    stage = prefetch(source(), 8)
    assert next(stage) == 1
    assert next(stage) == 2
    with pytest.raises(OSError, match="broken"):
        next(stage)


def test_stopping_early_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def endless():
        try:
            yield from itertools.count()
        finally:
            closed.set()

    before = threading.active_count()
    stage = prefetch(endless(), 2)
    assert next(stage) == 0
    stage.close()
    assert closed.is_set()
    assert threading.active_count() == before
