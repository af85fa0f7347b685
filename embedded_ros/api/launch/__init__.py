"""Describe and run groups of processes: a strict subset of the ROS 2 package ``launch``.

A LaunchService visits the entities of a LaunchDescription, then works through events (a process ended, a timer is due,
Ctrl-C) in one thread until nothing is left to do. Names that ROS 2 has and this subset has not raise
NotImplementedError naming themselves.
"""

from . import actions, conditions, event_handlers, events, launch_description_sources, logging, substitutions
from .event_handlers import EventHandler
from .events import Event
from .launch_context import LaunchContext
from .launch_description import Action, Condition, LaunchDescription, LaunchDescriptionEntity
from .launch_description_sources import LaunchDescriptionSource
from .launch_service import LaunchService
from .substitutions import SomeSubstitutionsType, Substitution

__all__ = [
    'Action',
    'Condition',
    'Event',
    'EventHandler',
    'LaunchContext',
    'LaunchDescription',
    'LaunchDescriptionEntity',
    'LaunchDescriptionSource',
    'LaunchService',
    'SomeSubstitutionsType',
    'Substitution',
    'actions',
    'conditions',
    'event_handlers',
    'events',
    'launch_description_sources',
    'logging',
    'substitutions',
]
