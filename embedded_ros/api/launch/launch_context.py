"""The state of a running launch: configurations, environment, event handlers, queued events and timers."""

from __future__ import annotations

import heapq
import itertools
import os
import queue
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .event_handlers import EventHandler
    from .events import Event


class Timer:
    """A callback due at a monotonic time, until cancelled."""

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Never call back."""
        self.cancelled = True


class LaunchContext:
    """Everything that actions read and change. Only emit_event may be called from other threads."""

    def __init__(self, *, argv: Sequence[str] | None = None, noninteractive: bool = False) -> None:
        self.argv = list(argv or ())
        self.noninteractive = noninteractive
        self.launch_configurations: dict[str, Any] = {}
        self.environment: dict[str, str] = dict(os.environ)
        self.current_event: Event | None = None
        self.is_shutdown = False
        self.running: set[Any] = set()  # what keeps the launch alive
        # SimpleQueue.put is reentrant: a signal handler may call it while the same thread is in get.
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.event_handlers: list[EventHandler] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._process_numbers = itertools.count(1)

    def next_process_number(self) -> int:
        """Return 1, 2, ...: the number in the name of the next process."""
        return next(self._process_numbers)

    # Events

    def emit_event(self, event: Event) -> None:
        """Queue an event; safe in every thread and in signal handlers."""
        self.events.put(event)

    emit_event_sync = emit_event

    def register_event_handler(self, handler: EventHandler) -> None:
        """Let `handler` see every event from now on, before the handlers registered earlier."""
        self.event_handlers.insert(0, handler)

    def unregister_event_handler(self, handler: EventHandler) -> None:
        """Forget `handler`.

        Raises:
            ValueError: when it is not registered.
        """
        self.event_handlers.remove(handler)

    # Timers

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once from the launch thread."""
        timer = Timer(time.monotonic() + seconds, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def next_due(self) -> float | None:
        """Return the monotonic time of the next timer, or None."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def run_due_timers(self) -> None:
        """Call back every timer that is due."""
        while (due := self.next_due()) is not None and due <= time.monotonic():
            heapq.heappop(self._timers)[2].callback()
