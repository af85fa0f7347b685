"""ROS nodes in launch files: a strict subset of the ROS 2 package ``launch_ros``."""

from . import actions, substitutions

__all__ = ['actions', 'substitutions']
