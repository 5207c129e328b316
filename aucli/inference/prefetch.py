"""A thread and a bounded queue between two stages.

A stage is a generator, iterator in, iterator out; without `prefetch` the same stages run in one
thread, as the tests do.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

from aucli.inference.timing import UNTIMED, Timer

Item = TypeVar("Item")

_POLL_SECONDS = 0.1


class _End:
    """Last thing in the queue; carries the producer's error if there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(
    items: Iterable[Item],
    size: int,
    *,
    timer: Timer = UNTIMED,
    producer: str = "prefetch",
    consumer: str = "consumer",
) -> Generator[Item, None, None]:
    """The same items, produced ahead by a thread that is at most `size` items in front.

    An error of the producer is raised in the consumer, after the items before it. When the consumer
    stops early (closes this generator), the producer is told, and ended before this returns.

    timer: told of the waits of both sides, under the names of their stages.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(maxsize=size)
    stopped = threading.Event()

    def put(item: Item | _End) -> bool:
        try:
            waiting.put_nowait(item)
            return not stopped.is_set()
        except queue.Full:
            pass
        with timer(producer, waiting=True):
            while not stopped.is_set():
                try:
                    waiting.put(item, timeout=_POLL_SECONDS)
                except queue.Full:
                    continue
                return True
        return False

    def get() -> Item | _End:
        try:
            return waiting.get_nowait()
        except queue.Empty:
            with timer(consumer, waiting=True):
                return waiting.get()

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

    # Of several videos at a time each has a lane, whose number its threads' names have, see `worker_main`.
    lane, colon, _ = threading.current_thread().name.rpartition(": ")
    thread = threading.Thread(target=produce, name=f"{lane}{colon}{producer}", daemon=True)
    thread.start()
    try:
        while True:
            item = get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()
