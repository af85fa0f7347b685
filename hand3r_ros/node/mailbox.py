"""A one-slot mailbox: the newest item wins, so a slow worker never works on stale images."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """Hands the newest item of one thread to another; an item that was not taken yet is replaced."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._closed = False

    def put(self, item: Item) -> bool:
        """Leave ``item`` for the reader; True when an item that nobody had taken was replaced (dropped)."""
        with self._condition:
            if self._closed:
                return False
            replaced = self._item is not None
            self._item = item
            self._condition.notify()
            return replaced

    def take(self, timeout: float) -> Item | None:
        """Wait up to ``timeout`` seconds for an item; None when there was none or the mailbox was closed."""
        deadline = time.monotonic() + timeout
        with self._condition:
            while self._item is None and not self._closed:
                remaining = deadline - time.monotonic()
                if remaining <= 0.0:
                    return None
                self._condition.wait(remaining)
            item, self._item = self._item, None
            return item

    def clear(self) -> bool:
        """Throw a waiting item away; True when there was one."""
        with self._condition:
            waiting, self._item = self._item is not None, None
            return waiting

    def close(self) -> None:
        """Throw a waiting item away, refuse new ones and wake the reader."""
        with self._condition:
            self._item = None
            self._closed = True
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        """True after :meth:`close`."""
        with self._condition:
            return self._closed
