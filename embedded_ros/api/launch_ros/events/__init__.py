"""Events of ROS nodes."""

from launch.events import matches_action as _matches_action

from . import lifecycle
from .matchers import matches_node_name

matches_action = _matches_action

__all__ = ['lifecycle', 'matches_action', 'matches_node_name']
