"""A launch test of a ROS node as a user writes it: lifecycle node, topics, parameters, exit codes."""

import sys
import unittest

import launch
import launch_testing
import launch_testing.actions
import pytest
from launch.actions import SetEnvironmentVariable
from launch_ros.actions import LifecycleNode
from launch_testing_ros import WaitForTopics
from processes import NODES, PACKAGE_ROOT, START
from std_msgs.msg import String


@pytest.mark.rostest
def generate_test_description():
    managed = LifecycleNode(
        executable=sys.executable,
        name='managed',
        namespace='robot',
        arguments=['-c', START, str(NODES / 'managed.py')],
        parameters=[{'speed': 2.0}],
        autostart=True,
        output='screen',
    )
    path = SetEnvironmentVariable('PYTHONPATH', str(PACKAGE_ROOT))
    return launch.LaunchDescription([path, managed, launch_testing.actions.ReadyToTest()])


class TestManagedNode(unittest.TestCase):
    def test_publishes_once_it_is_active(self):
        with WaitForTopics([('/robot/managed/state', String)], timeout=30.0) as wait:
            self.assertEqual(wait.topics_received(), {'/robot/managed/state'})
            self.assertEqual(wait.received_messages('/robot/managed/state')[0].data, 'alive')

    def test_silent_topics_are_named(self):
        wait = WaitForTopics([('/robot/managed/state', String), ('/silent', String)], timeout=1.0)
        with self.assertRaisesRegex(RuntimeError, '/silent'), wait:
            pass


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    def test_ends_cleanly(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)
