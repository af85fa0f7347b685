"""Makes the subset importable in the tests, and gives every test process a ROS domain of its own."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

PACKAGE_ROOT = Path(__file__).resolve().parent.parent
for folder in (PACKAGE_ROOT, PACKAGE_ROOT.parent / 'test'):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

from ros_domain import private_domain  # noqa: E402

import embedded_ros  # noqa: E402

# A busy machine is no failure.
settings.register_profile('no_deadline', deadline=None)
settings.load_profile('no_deadline')
embedded_ros.install()
os.environ['ROS_DOMAIN_ID'] = str(private_domain())
os.environ.pop('CYCLONEDDS_URI', None)


@pytest.fixture
def ros():
    """An initialised rclpy, shut down at the end."""
    import rclpy

    context = rclpy.init(args=[])
    yield rclpy
    rclpy.try_shutdown()
    if hasattr(context, '_close_graph'):  # also where a failed test left nodes behind
        context._close_graph()
