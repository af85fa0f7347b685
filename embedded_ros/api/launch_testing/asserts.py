"""Assertions about processes that ended and what they wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from launch.absent import absent

from .process_info import ProcInfoHandler
from .process_output import ExpectedOutput, IoHandler, matches

__all__ = ['EXIT_FORCED', 'EXIT_OK', 'EXIT_SIGINT', 'EXIT_SIGKILL', 'EXIT_SIGQUIT', 'EXIT_SIGSEGV']
__all__ += ['assertExitCodes', 'assertInStderr', 'assertInStdout']

EXIT_OK = 0
EXIT_FORCED = 1
EXIT_SIGINT = 130
EXIT_SIGQUIT = 131
EXIT_SIGKILL = 137
EXIT_SIGSEGV = 139


def assertExitCodes(  # noqa: N802 (name given by ROS 2)
    proc_info: ProcInfoHandler, allowable_exit_codes: Iterable[int] = (EXIT_OK,), process: Any = None
) -> None:
    """Require allowed exit codes of one process or of all (minus the signal's number where a signal ended one).

    Raises:
        AssertionError: naming the process, its command and its exit code.
    """
    allowed = [int(code) for code in allowable_exit_codes]
    for event in [proc_info[process]] if process is not None else proc_info:
        if event.returncode not in allowed:
            raise AssertionError(
                f'process {event.process_name} exited with code {event.returncode}, allowed: {allowed}; cmd {event.cmd}'
            )


def _assert_written(output: IoHandler, expected: ExpectedOutput, process: Any, stream: str) -> None:
    if not matches(output.text(process, stream), expected):
        raise AssertionError(f'{expected!r} not found in {stream} of {process or "any process"}')


def assertInStdout(  # noqa: N802 (name given by ROS 2)
    proc_output: IoHandler, expected_output: ExpectedOutput, process: Any, cmd_args: Any = None
) -> None:
    """Require that a process wrote something to standard output."""
    _assert_written(proc_output, expected_output, process, 'stdout')


def assertInStderr(  # noqa: N802 (name given by ROS 2)
    proc_output: IoHandler, expected_output: ExpectedOutput, process: Any, cmd_args: Any = None
) -> None:
    """Require that a process wrote something to standard error."""
    _assert_written(proc_output, expected_output, process, 'stderr')


__getattr__ = absent(__name__, 'assertInStream assertSequentialStdout SequenceStdoutChecker')
