"""Events of and for processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
