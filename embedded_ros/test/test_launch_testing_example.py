"""A launch test as a user writes it, run by the same pytest as every other test."""

import sys
import unittest

import launch
import launch_testing
import launch_testing.actions
import launch_testing.markers
import pytest
from launch.actions import ExecuteProcess

GREETER = 'import sys, time; print("hello", sys.argv[1], flush=True); time.sleep(0.2); print("last words")'


@pytest.mark.launch_test
@launch_testing.markers.keep_alive
@launch_testing.parametrize('who', ['world', 'robot'])
def generate_test_description(who):
    greeter = ExecuteProcess(cmd=[sys.executable, '-c', GREETER, who], name='greeter')
    ready = launch_testing.actions.ReadyToTest()
    return launch.LaunchDescription([greeter, ready]), {'greeter': greeter}


class TestWhileRunning(unittest.TestCase):
    @classmethod
    def setUpClass(cls, who):
        cls.expected = f'hello {who}'

    def test_greets_and_ends(self, proc_info, proc_output, greeter):
        proc_info.assertWaitForStartup('greeter', timeout=10)
        proc_output.assertWaitFor(self.expected, process=greeter, timeout=10, stream='stdout')
        proc_info.assertWaitForShutdown(greeter, timeout=10)


@launch_testing.post_shutdown_test()
class TestAfterShutdown(unittest.TestCase):
    def test_everything_ended_well(self, proc_info, proc_output, greeter):
        launch_testing.asserts.assertExitCodes(proc_info)
        launch_testing.asserts.assertInStdout(proc_output, 'last words', greeter)
        self.assertEqual(len(list(proc_info)), 2)
