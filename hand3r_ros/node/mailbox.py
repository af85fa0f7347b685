"""A one-slot mailbox: the newest item replaces the last, so a slow worker never processes stale images."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """Hands the newest item of one thread to another; an item that was not taken yet is replaced.

    ``discarded`` is called for every item that was put but will never be taken, so that what goes in and what comes
    out add up.
    """

    def __init__(self, discarded: Callable[[], None] = lambda: None) -> None:
        self._discarded = discarded
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._closed = False

    def put(self, item: Item) -> None:
        """Stores ``item`` for the reader; replaces one that was not taken yet."""
        with self._condition:
            if self._closed:
                self._discarded()
                return
            self._discard()
            self._item = item
            self._condition.notify()

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

    def empty(self) -> None:
        """Throw a waiting item away."""
        with self._condition:
            self._discard()

    def close(self) -> None:
        """Throw a waiting item away, refuse new ones and wake the reader."""
        with self._condition:
            self._discard()
            self._closed = True
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        """True after :meth:`close`."""
        with self._condition:
            return self._closed

    def _discard(self) -> None:
        if self._item is not None:
            self._item = None
            self._discarded()
