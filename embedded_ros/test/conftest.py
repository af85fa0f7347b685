"""Makes the subset importable in the tests, and gives every test process a ROS domain of its own."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

PACKAGE_ROOT = Path(__file__).resolve().parent.parent
if str(PACKAGE_ROOT) not in sys.path:
    sys.path.append(str(PACKAGE_ROOT))

import embedded_ros  # noqa: E402

# A busy machine is no failure.
settings.register_profile('no_deadline', deadline=None)
settings.load_profile('no_deadline')
IS_ACTIVE = embedded_ros.install()
# Domains above 101 use ports that Linux also hands out to other programs.
PRIVATE_DOMAIN = 1 + os.getpid() % 100
os.environ['ROS_DOMAIN_ID'] = str(PRIVATE_DOMAIN)
os.environ.pop('CYCLONEDDS_URI', None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of the subset where a real ROS 2 takes its place."""
    if IS_ACTIVE:
        return
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason='a real rclpy is importable: the subset is inert'))


@pytest.fixture
def ros():
    """An initialised rclpy, shut down at the end."""
    import rclpy

    context = rclpy.init(args=[])
    yield rclpy
    rclpy.try_shutdown()
    context._close_graph()  # also where a failed test left nodes behind
