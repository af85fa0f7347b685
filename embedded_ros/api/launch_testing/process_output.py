"""What the processes wrote (``proc_output`` in tests)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from launch.events.process import ProcessIO

from .tools import resolve_process

DEFAULT_TIMEOUT_S = 10.0
ExpectedOutput = Any  # text, a compiled pattern, a function of the text, or a list of these


class IoHandler:
    """Everything that every process wrote, as events, by action."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._events: list[ProcessIO] = []

    def append(self, event: ProcessIO) -> None:
        """Take note of an event."""
        with self.changed:
            self._events.append(event)
            self.changed.notify_all()

    def __iter__(self) -> Iterator[ProcessIO]:
        with self.changed:
            return iter(list(self._events))

    def __getitem__(self, process: Any) -> list[ProcessIO]:
        with self.changed:
            action = resolve_process(self.processes(), process, required=True)
            return [event for event in self._events if event.action is action]

    def processes(self) -> list[Any]:
        """Return the actions of the processes that wrote something."""
        return list(dict.fromkeys(event.action for event in self._events))

    def process_names(self) -> list[str]:
        """Return their names."""
        return list(dict.fromkeys(event.process_name for event in self._events))

    def text(self, process: Any = None, stream: str | None = None) -> str:
        """Return what a process (or all) wrote to 'stdout', 'stderr' or both."""
        with self.changed:
            action = None if process is None else resolve_process(self.processes(), process)
            chunks = [
                event.text
                for event in self._events
                if (process is None or event.action is action)
                and (stream is None or event.from_stdout == (stream == 'stdout'))
            ]
        return b''.join(chunks).decode('utf-8', 'replace')


class ActiveIoHandler(IoHandler):
    """IoHandler that can wait."""

    def waitFor(  # noqa: N802 (name given by ROS 2)
        self,
        expected_output: ExpectedOutput,
        process: Any = None,
        cmd_args: Any = None,
        *,
        output_filter: Callable[[str], str] | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        strict_proc_matching: bool = True,
        strip_ansi_escape_sequences: bool = True,
        stream: str = 'stderr',
    ) -> bool:
        """Wait for output; return whether it came within `timeout` seconds.

        As in ROS 2 only what goes to standard error is looked at, unless `stream` says 'stdout'.
        """

        def found() -> bool:
            text = self.text(process, stream)
            if strip_ansi_escape_sequences:
                text = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', text)
            return matches(output_filter(text) if output_filter else text, expected_output)

        with self.changed:
            return self.changed.wait_for(found, timeout)

    def assertWaitFor(  # noqa: N802 (name given by ROS 2)
        self,
        expected_output: ExpectedOutput,
        process: Any = None,
        cmd_args: Any = None,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        **options: Any,
    ) -> None:
        """Wait for output.

        Raises:
            AssertionError: when it did not come within `timeout` seconds.
        """
        if not self.waitFor(expected_output, process, cmd_args, timeout=timeout, **options):
            written = self.text(process, options.get('stream', 'stderr'))[-2000:]
            raise AssertionError(f'{expected_output!r} not written within {timeout} s; last output:\n{written}')


def matches(text: str, expected: ExpectedOutput) -> bool:
    """Return whether `text` holds what is expected: text, pattern, function, or all of a list in this order."""
    if isinstance(expected, (list, tuple)):
        position = 0
        for item in expected:
            at = text.find(item, position)
            if at < 0:
                return False
            position = at + len(item)
        return True
    if isinstance(expected, re.Pattern):
        return expected.search(text) is not None
    if callable(expected):
        return bool(expected(text))
    return expected in text
