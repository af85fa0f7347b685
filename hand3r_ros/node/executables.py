"""The commands of the package. Importing a node takes seconds, in which a signal already has to end it well."""

from __future__ import annotations

from importlib import import_module

from hand3r_ros.node.ending import end_at_once_when_asked


def hand3r_node() -> int:
    """The reconstruction."""
    return _run('hand3r_node')


def camera_player() -> int:
    """A rendered scene, a video or images as a camera."""
    return _run('camera_player')


def demo_monitor() -> int:
    """Progress and summary of a run."""
    return _run('demo_monitor')


def live_viewer() -> int:
    """The reconstruction in a browser."""
    return _run('live_viewer')


def _run(module: str) -> int:
    """Import a module of this package and run its ``main``; gives the exit code."""
    end_at_once_when_asked()
    return int(import_module(f'{__package__}.{module}').main())
