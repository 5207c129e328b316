import threading
import time

import pytest

from aucli.inference import pulse as module
from aucli.inference.pulse import pulse


def test_it_tells_of_progress_and_of_nothing_else(monkeypatch):
    monkeypatch.setattr(module, "PULSE_SECONDS", 0.02)
    done, told = [0], []
    with pulse(lambda: done[0], lambda: told.append(done[0])):
        time.sleep(0.2)
        assert told == []
        done[0] = 5
        deadline = time.monotonic() + 5
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        assert told == [5]
    done[0] = 6
    time.sleep(0.1)
    assert told == [5], "it is over"


def test_its_thread_ends_with_the_block_also_after_an_error():
    before = threading.active_count()
    with pytest.raises(KeyError), pulse(int, int):
        raise KeyError
    assert threading.active_count() == before
