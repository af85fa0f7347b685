"""Which processes started and how they ended (``proc_info`` in tests)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from launch.events.process import ProcessExited, ProcessStarted, RunningProcessEvent

from .tools import NoMatchingProcessException, resolve_process

DEFAULT_TIMEOUT_S = 10.0


class ProcInfoHandler:
    """The events of start and end of every process, by action."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._started: dict[Any, RunningProcessEvent] = {}
        self._ended: dict[Any, ProcessExited] = {}

    def append(self, event: RunningProcessEvent) -> None:
        """Take note of an event."""
        with self.changed:
            if isinstance(event, ProcessExited):
                self._ended[event.action] = event
            elif isinstance(event, ProcessStarted):
                self._started[event.action] = event
                self._ended.pop(event.action, None)
            self.changed.notify_all()

    def __iter__(self) -> Iterator[ProcessExited]:
        with self.changed:
            return iter(list(self._ended.values()))

    def __getitem__(self, process: Any) -> ProcessExited:
        with self.changed:
            action = resolve_process(self.processes(), process, required=True)
            if action not in self._ended:
                raise KeyError(f'{process} did not end')
            return self._ended[action]

    def processes(self) -> list[Any]:
        """Return the actions of the processes that started."""
        return list(self._started)

    def process_names(self) -> list[str]:
        """Return their names."""
        return [event.process_name for event in self._started.values()]

    def has_ended(self, process: Any) -> bool:
        """Return whether a process ended."""
        return resolve_process(self.processes(), process) in self._ended


class ActiveProcInfoHandler(ProcInfoHandler):
    """ProcInfoHandler that can wait."""

    def assertWaitForStartup(  # noqa: N802 (name given by ROS 2)
        self, process: Any, cmd_args: Any = None, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> None:
        """Wait until a process (its action or a part of its name) started.

        Raises:
            AssertionError: when it did not within `timeout` seconds.
        """
        self._wait(lambda: resolve_process(self.processes(), process) is not None, timeout, process, 'start')

    def assertWaitForShutdown(  # noqa: N802 (name given by ROS 2)
        self, process: Any, cmd_args: Any = None, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> None:
        """Wait until a process ended.

        Raises:
            AssertionError: when it did not within `timeout` seconds.
        """
        if resolve_process(self.processes(), process) is None:
            raise NoMatchingProcessException(f'no process {process!r} (there are: {self.process_names()})')
        self._wait(lambda: self.has_ended(process), timeout, process, 'end')

    def _wait(self, predicate: Any, timeout: float, process: Any, what: str) -> None:
        with self.changed:
            if not self.changed.wait_for(predicate, timeout):
                raise AssertionError(
                    f'process {process!r} did not {what} within {timeout} s (started: {self.process_names()})'
                )
