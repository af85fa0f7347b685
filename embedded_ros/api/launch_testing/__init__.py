"""Tests of running launch files: a strict subset of the ROS 2 package ``launch_testing``.

A test module defines ``generate_test_description()``, which returns a LaunchDescription holding one ReadyToTest
action (or a pair of it and a dictionary of arguments for the tests), and unittest.TestCase classes. They run once the
action is reached; classes marked with post_shutdown_test run when all processes ended. Run a module with pytest
(marked ``@pytest.mark.launch_test``) or with ``python -m launch_testing.launch_test FILE``.
"""

from . import actions, asserts, markers, tools, util
from .decorators import parametrize, post_shutdown_test
from .process_info import ActiveProcInfoHandler, ProcInfoHandler
from .process_output import ActiveIoHandler, IoHandler

__all__ = [
    'ActiveIoHandler',
    'ActiveProcInfoHandler',
    'IoHandler',
    'ProcInfoHandler',
    'actions',
    'asserts',
    'markers',
    'parametrize',
    'post_shutdown_test',
    'tools',
    'util',
]
