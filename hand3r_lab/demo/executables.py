"""The demo's own executables; like those of ``hand3r_ros.node``."""

from __future__ import annotations

from hand3r_ros.node.executables import run_module


def rendered_camera() -> int:
    """A rendered hand-object scene as a camera."""
    return run_module('hand3r_lab.demo.rendered_camera')


def demo_monitor() -> int:
    """Progress and summary of a run."""
    return run_module('hand3r_lab.demo.monitor')
