"""Find a process by its action or by its name."""

from __future__ import annotations

from typing import Any

from launch.absent import absent


class NoMatchingProcessException(Exception):  # noqa: N818 (name given by ROS 2)
    """No process of the launch is the one that was asked for."""


def resolve_process(actions: list[Any], process: Any, required: bool = False) -> Any:
    """Return the action that `process` means: the action itself, or the one with this text in its name.

    Raises:
        NoMatchingProcessException: when it is `required` and there is none.
    """
    for action in actions:
        name = action.process_details['name'] if action.process_details else ''
        if action is process or (isinstance(process, str) and process in name):
            return action
    if required:
        raise NoMatchingProcessException(f'no process {process!r}')
    return None


__getattr__ = absent(__name__, 'ProcessProxy basic_output_filter expect_output launch_process')
