"""The commands of the package. Importing a node takes seconds, in which a Ctrl-C must not end in a traceback."""

from __future__ import annotations

from importlib import import_module


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
    """Import a module of this package and run its ``main``; gives the exit code, 0 when interrupted on the way."""
    try:
        return int(import_module(f'{__package__}.{module}').main() or 0)
    except KeyboardInterrupt:
        return 0
