"""Events of and for processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import Event


class RunningProcessEvent(Event):
    """Something happened to a process: action, process name, command, folder, environment and process id."""

    name = 'launch.events.process.RunningProcessEvent'

    def __init__(
        self, *, action: Any, name: str, cmd: Sequence[str], cwd: str | None, env: Mapping[str, str] | None, pid: int
    ) -> None:
        self.action = action
        self.process_name = name
        self.cmd = list(cmd)
        self.cwd = cwd
        self.env = env
        self.pid = pid


class ProcessStarted(RunningProcessEvent):
    """A process runs."""

    name = 'launch.events.process.ProcessStarted'


class ProcessExited(RunningProcessEvent):
    """A process ended with `returncode` (minus the signal number where a signal ended it)."""

    name = 'launch.events.process.ProcessExited'

    def __init__(self, *, returncode: int, **process: Any) -> None:
        super().__init__(**process)
        self.returncode = returncode


class ProcessIO(RunningProcessEvent):
    """A process wrote `text` (bytes, as they came) to descriptor `fd`."""

    name = 'launch.events.process.ProcessIO'

    def __init__(self, *, text: bytes, fd: int, **process: Any) -> None:
        super().__init__(**process)
        self.text = text
        self.fd = fd

    @property
    def from_stdout(self) -> bool:
        """Whether it came from standard output."""
        return self.fd == 1

    @property
    def from_stderr(self) -> bool:
        """Whether it came from standard error."""
        return self.fd == 2

    @property
    def from_stdin(self) -> bool:
        """Standard input is never reported."""
        return False


class ProcessStdout(ProcessIO):
    """A process wrote to standard output."""

    name = 'launch.events.process.ProcessStdout'


class ProcessStderr(ProcessIO):
    """A process wrote to standard error."""

    name = 'launch.events.process.ProcessStderr'


class ProcessTargetedEvent(Event):
    """A request to the processes whose action `process_matcher` accepts."""

    name = 'launch.events.process.ProcessTargetedEvent'

    def __init__(self, *, process_matcher: Callable[[Any], bool]) -> None:
        self.process_matcher = process_matcher


class ShutdownProcess(ProcessTargetedEvent):
    """A request to end: SIGINT, then SIGTERM, then SIGKILL."""

    name = 'launch.events.process.ShutdownProcess'


class SignalProcess(ProcessTargetedEvent):
    """A request to send one signal."""

    name = 'launch.events.process.SignalProcess'

    def __init__(self, *, signal_number: int | str | signal.Signals, process_matcher: Callable[[Any], bool]) -> None:
        super().__init__(process_matcher=process_matcher)
        name = isinstance(signal_number, str)
        self.signal = signal.Signals[str(signal_number)] if name else signal.Signals(int(signal_number))
