"""Prepares frames on a thread of its own, ahead of playback."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from hand3r_ros.node.frame_sources import SourceFrame


class ReadAhead:
    """Frames of one or endless passes, up to ``capacity`` of them prepared in advance."""

    def __init__(
        self,
        begin_pass: Callable[[], Iterator[SourceFrame]],
        capacity: int,
        loop: bool = False,
        newest_only: bool = False,
    ) -> None:
        """Begins at once.

        Args:
            begin_pass: gives the frames of one pass.
            capacity: frames prepared at most.
            loop: begin again at the end.
            newest_only: keep one frame, the newest, whatever ``capacity``; for live sources, whose frames grow old.

        """
        self._begin_pass, self._loop, self._newest_only = begin_pass, loop, newest_only
        self._ready: queue.Queue[SourceFrame] = queue.Queue(1 if newest_only else max(capacity, 1))
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name='read_ahead', daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Nothing more can be prepared: the room is used, or all frames are."""
        return self._ready.full() or self._ended.is_set()

    @property
    def ready(self) -> int:
        """Number of prepared frames."""
        return self._ready.qsize()

    @property
    def is_over(self) -> bool:
        """All frames were taken; raises what went wrong when that is why."""
        over = self._ended.is_set() and self._ready.empty()
        if over and self._error is not None:
            raise self._error
        return over

    def take(self) -> SourceFrame | None:
        """The next frame, None while it is not ready."""
        try:
            return self._ready.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """Stop preparing and wait for the thread."""
        self._stop.set()
        self._thread.join(timeout=10.0)

    def _work(self) -> None:
        try:
            again = True
            while again and not self._stop.is_set():
                for frame in self._begin_pass():
                    if not self._put(frame):
                        return
                again = self._loop
        except Exception as error:  # handed to the thread that plays
            self._error = error
        finally:
            self._ended.set()

    def _put(self, frame: SourceFrame) -> bool:
        while not self._stop.is_set():
            try:
                self._ready.put(frame, timeout=0.0 if self._newest_only else 0.1)
            except queue.Full:
                if self._newest_only:
                    self.take()  # it is older
                continue
            return True
        return False
