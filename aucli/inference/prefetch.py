"""A thread and a bounded queue between two stages.

A stage is a generator, iterator in, iterator out; without `prefetch` the same stages run in one
thread, as the tests do.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.1


class _End:
    """Last thing in the queue; carries the producer's error if there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterable[Item], size: int) -> Generator[Item, None, None]:
    """The same items, produced ahead by a thread that is at most `size` items in front.

    An error of the producer is raised in the consumer, after the items before it. When the consumer
    stops early (closes this generator), the producer is told, and ended before this returns.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(maxsize=size)
    stopped = threading.Event()

    def put(item: Item | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        iterator = iter(items)
        error: BaseException | None = None
        try:
            for item in iterator:
                if not put(item):
                    break
        except BaseException as raised:  # whatever it is, it belongs to the consumer
            error = raised
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        put(_End(error))

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()
