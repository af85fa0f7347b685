"""Events of lifecycle nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from launch.events import Event

__all__ = ['ChangeState', 'StateTransition']


class ChangeState(Event):
    """A request for a transition (lifecycle_msgs/Transition) to the nodes that the matcher accepts."""

    name = 'launch_ros.events.lifecycle.ChangeState'

    def __init__(self, *, lifecycle_node_matcher: Callable[[Any], bool], transition_id: int) -> None:
        self.lifecycle_node_matcher = lifecycle_node_matcher
        self.transition_id = transition_id


class StateTransition(Event):
    """A lifecycle node changed its state; `msg` is the lifecycle_msgs/TransitionEvent."""

    name = 'launch_ros.events.lifecycle.StateTransition'

    def __init__(self, *, action: Any, msg: Any) -> None:
        self.action = action
        self.msg = msg
        self.timestamp = msg.timestamp
        self.transition = msg.transition.label
        self.start_state = msg.start_state.label
        self.goal_state = msg.goal_state.label
