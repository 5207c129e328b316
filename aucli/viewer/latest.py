"""A place for one thing: the newest wins, so that a slow reader is late by one thing and never by more."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Latest(Generic[Item]):
    """Hands the newest item from one thread to any number of others."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._number = 0
        self._closed = False

    def put(self, item: Item) -> None:
        """Replace what is there, taken or not."""
        with self._changed:
            self._item = item
            self._number += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, Item] | None:
        """Wait for an item newer than that of this number (0: any); None when no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self._closed)
            if self._number <= number or self._item is None:
                return None
            return self._number, self._item
