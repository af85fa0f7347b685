"""Makes the ROS message classes importable that the message builders need, whatever is installed.

A sourced ROS 2 workspace has them. So has an environment in which ``embedded_ros`` is active. Elsewhere the message
part of ``embedded_ros`` is taken from the repository: it needs nothing but rosbags, no middleware.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from hand3r_ros.offline.errors import RunError

REPOSITORY = Path(__file__).resolve().parents[2]


def require_message_classes() -> None:
    """Returns when ``from hand3r_msgs.msg import HandMesh`` works; raises RunError with what to do otherwise."""
    if _are_importable() or (_install_embedded() and _are_importable()):
        return
    raise RunError(
        'the ROS message classes (hand3r_msgs, sensor_msgs, ...) cannot be imported: source the ROS 2 workspace in '
        'which hand3r_msgs is built, or without ROS 2 run "pip install -e embedded_ros" in your virtual environment'
    )


def _are_importable() -> bool:
    try:
        # A real name: the folder hand3r_msgs/ of the repository can be imported as an empty package.
        from sensor_msgs.msg import PointCloud2  # noqa: F401

        from hand3r_msgs.msg import HandMesh  # noqa: F401
    except ImportError:
        return False
    return True


def _install_embedded() -> bool:
    folder = REPOSITORY / 'embedded_ros'
    if not (folder / 'embedded_ros' / '__init__.py').is_file():
        return False
    for name in [name for name in sys.modules if name.split('.')[0] in ('embedded_ros', 'hand3r_msgs')]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        return bool(importlib.import_module('embedded_ros').install())
    finally:
        sys.path.remove(str(folder))
