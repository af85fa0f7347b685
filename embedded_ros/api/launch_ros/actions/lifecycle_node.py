"""Starts a lifecycle node, asks it for transitions and reports its states."""

from __future__ import annotations

from typing import Any

from launch import logging
from launch.actions import EmitEvent, RegisterEventHandler
from launch.event_handlers import EventHandler
from launch.events import Event, matches_action
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescriptionEntity, visit_all
from launch.substitutions import SomeSubstitutionsType

from ..event_handlers import OnStateTransition
from ..events.lifecycle import ChangeState, StateTransition
from ..ros_adapters import get_ros_node
from .node import Node

SECONDS_FOR_SERVICE = 20.0
SECONDS_BETWEEN_LOOKS = 0.1


class LifecycleNode(Node):
    """A node with managed states; `autostart` configures and activates it."""

    def __init__(
        self, *, name: SomeSubstitutionsType, namespace: SomeSubstitutionsType, autostart: bool = False, **options: Any
    ) -> None:
        super().__init__(name=name, namespace=namespace, **options)
        self._autostart = autostart
        self._client: Any = None

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Start the process and listen to the node."""
        super().execute(context)
        if context.is_shutdown:
            return None
        import lifecycle_msgs.msg
        import lifecycle_msgs.srv

        node = get_ros_node(context)

        def report(message: Any) -> None:
            context.emit_event(StateTransition(action=self, msg=message))

        node.create_subscription(lifecycle_msgs.msg.TransitionEvent, f'{self.node_name}/transition_event', report, 10)
        self._client = node.create_client(lifecycle_msgs.srv.ChangeState, f'{self.node_name}/change_state')
        context.register_event_handler(EventHandler(matcher=self._is_for_me, entities=self._change_state))
        if self._autostart:
            visit_all(self._autostart_actions(), context)
        return None

    def _is_for_me(self, event: Event) -> bool:
        return isinstance(event, ChangeState) and event.lifecycle_node_matcher(self)

    def _autostart_actions(self) -> list[LaunchDescriptionEntity]:
        from lifecycle_msgs.msg import Transition

        matcher = matches_action(self)
        configure = ChangeState(lifecycle_node_matcher=matcher, transition_id=Transition.TRANSITION_CONFIGURE)
        activate = ChangeState(lifecycle_node_matcher=matcher, transition_id=Transition.TRANSITION_ACTIVATE)
        when_configured = OnStateTransition(
            target_lifecycle_node=self,
            start_state='configuring',
            goal_state='inactive',
            entities=[EmitEvent(event=activate)],
            handle_once=True,
        )
        return [RegisterEventHandler(when_configured), EmitEvent(event=configure)]

    def _change_state(self, event: Event, context: LaunchContext) -> None:
        assert isinstance(event, ChangeState)
        self._call_when_ready(context, event.transition_id, SECONDS_FOR_SERVICE)

    def _call_when_ready(self, context: LaunchContext, transition_id: int, seconds_left: float) -> None:
        """Call the service once it is there, looking for it from the launch thread."""
        logger = logging.get_logger('launch_ros')
        if self._child is None or context.is_shutdown:
            return
        if not self._client.service_is_ready():
            if seconds_left <= 0:
                logger.error("service '%s/change_state' did not appear", self.node_name)
                return
            remaining = seconds_left - SECONDS_BETWEEN_LOOKS
            context.call_later(SECONDS_BETWEEN_LOOKS, lambda: self._call_when_ready(context, transition_id, remaining))
            return
        import lifecycle_msgs.srv

        request = lifecycle_msgs.srv.ChangeState.Request()
        request.transition.id = transition_id

        def answered(future: Any) -> None:
            if not future.result().success:
                logger.error("Failed to make transition %d for LifecycleNode '%s'", transition_id, self.node_name)

        self._client.call_async(request).add_done_callback(answered)
