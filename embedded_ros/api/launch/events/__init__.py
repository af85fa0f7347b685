"""What can happen during a launch."""

from __future__ import annotations

from typing import Any


class Event:
    """Something that happened."""

    name = 'launch.Event'


class Shutdown(Event):
    """The launch is to end; `due_to_sigint` where the user pressed Ctrl-C."""

    name = 'launch.events.Shutdown'

    def __init__(self, *, reason: str = 'reason not given', due_to_sigint: bool = False) -> None:
        self.reason = reason
        self.due_to_sigint = due_to_sigint


class IncludeLaunchDescription(Event):
    """A launch description was handed to the service."""

    name = 'launch.events.IncludeLaunchDescription'

    def __init__(self, launch_description: Any) -> None:
        self.launch_description = launch_description
