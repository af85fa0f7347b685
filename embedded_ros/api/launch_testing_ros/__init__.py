"""Helpers for launch tests of ROS nodes: a strict subset of the ROS 2 package ``launch_testing_ros``."""

from launch.absent import absent

from .wait_for_topics import WaitForTopics

__all__ = ['WaitForTopics']

__getattr__ = absent(__name__, 'DataRepublisher IdleEvent LaunchTestRunner MessagePump')
