"""ROS nodes in launch files: a strict subset of the ROS 2 package ``launch_ros``."""

from . import actions, event_handlers, events, parameter_descriptions, substitutions

__all__ = ['actions', 'event_handlers', 'events', 'parameter_descriptions', 'substitutions']
