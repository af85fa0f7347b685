"""Lets pytest run launch tests where no ROS 2 is installed; with ROS 2 its own launch_testing plugin does that."""

import importlib.util
from pathlib import Path

EMBEDDED = Path(__file__).resolve().parent / 'embedded_ros'


def _launch_testing_is_embedded() -> bool:
    """True with embedded_ros, and with a real rclpy that has nothing but the packages of embedded_ros beside it."""
    found = importlib.util.find_spec('launch_testing')
    return found is not None and found.origin is not None and Path(found.origin).resolve().is_relative_to(EMBEDDED)


pytest_plugins = ['launch_testing.pytest_plugin'] if _launch_testing_is_embedded() else []
# On a ROS 2 installation nothing of embedded_ros is used, and most of its tests could not even be imported.
collect_ignore_glob = [] if _launch_testing_is_embedded() else ['embedded_ros/*']
