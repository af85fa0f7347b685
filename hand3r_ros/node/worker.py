"""The worker thread: takes images from the mailbox, so that callbacks never wait for the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from hand3r_ros.node.mailbox import Mailbox

Item = TypeVar('Item')


class Worker(Generic[Item]):
    """Runs ``handle(item)`` for every item of a mailbox, and ``idle()`` when none came for ``idle_seconds``.

    Both run on the worker's thread. An exception in either goes to ``failed`` and the thread carries on: one bad
    item must not end the stream.
    """

    def __init__(
        self,
        mailbox: Mailbox[Item],
        handle: Callable[[Item], None],
        failed: Callable[[Exception], None],
        idle: Callable[[], None] = lambda: None,
        idle_seconds: float = 0.2,
    ) -> None:
        self._mailbox = mailbox
        self._handle = handle
        self._failed = failed
        self._idle = idle
        self._idle_seconds = idle_seconds
        self._thread = threading.Thread(target=self._run, name='hand3r_worker', daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the mailbox, let the item in progress finish, and join the thread."""
        self._mailbox.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._mailbox.closed:
            item = self._mailbox.take(self._idle_seconds)
            try:
                if item is not None:
                    self._handle(item)
                elif not self._mailbox.closed:
                    self._idle()
            except Exception as error:
                self._failed(error)
