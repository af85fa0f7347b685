"""Entry points of the executables. Importing a node takes seconds, during which signals must already work."""

from __future__ import annotations

from importlib import import_module

from hand3r_ros.node.ending import end_at_once_when_asked


def hand3r_node() -> int:
    """The reconstruction."""
    return run_module('hand3r_ros.node.hand3r_node')


def camera_player() -> int:
    """A video or images as a camera."""
    return run_module('hand3r_ros.node.camera_player')


def live_viewer() -> int:
    """The reconstruction in a browser."""
    return run_module('hand3r_ros.node.live_viewer')


def run_module(module: str) -> int:
    """Import a module and run its ``main``; gives the exit code."""
    end_at_once_when_asked()
    return int(import_module(module).main())
