"""Lifecycle nodes: callbacks per transition, the five services and the topic ~/transition_event."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import State as StateMessage
from lifecycle_msgs.msg import Transition as TransitionMessage
from lifecycle_msgs.msg import TransitionDescription, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState

from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle._state_machine import (
    STATES,
    TRANSITIONS,
    LifecycleState,
    Transition,
    TransitionCallbackReturn,
    available,
    find_transition,
    goal_after_error,
    goal_state,
    result_transition,
    result_transitions,
    state_message,
)
from rclpy.lifecycle.managed_entity import LifecyclePublisher, ManagedEntity
from rclpy.node import Node
from rclpy.qos import QoSProfile

TRANSITION_EVENT_DEPTH = 10


class LifecycleNodeMixin(ManagedEntity):
    """The managed half of a LifecycleNode."""

    def __init__(self, *, enable_communication_interface: bool = True):
        self._state_id: int = StateMessage.PRIMARY_STATE_UNCONFIGURED
        self._transition_lock = threading.RLock()
        self._managed_entities: list[ManagedEntity] = []
        self._transition_publisher: Any = None
        if enable_communication_interface:
            self._create_interface()

    def _create_interface(self) -> None:
        node: Any = self
        self._transition_publisher = node.create_publisher(
            TransitionEvent, '~/transition_event', TRANSITION_EVENT_DEPTH
        )
        node.create_service(ChangeState, '~/change_state', self._on_change_state)
        node.create_service(GetState, '~/get_state', self._on_get_state)
        node.create_service(GetAvailableStates, '~/get_available_states', self._on_get_states)
        node.create_service(GetAvailableTransitions, '~/get_available_transitions', self._on_get_transitions)
        node.create_service(GetAvailableTransitions, '~/get_transition_graph', self._on_get_graph)

    # Managed entities

    def add_managed_entity(self, entity: ManagedEntity) -> None:
        """Let an entity follow the state of this node."""
        self._managed_entities.append(entity)

    def create_lifecycle_publisher(
        self, msg_type: Any, topic: str, qos_profile: QoSProfile | int, **options: Any
    ) -> LifecyclePublisher:
        """Create a publisher that is silent while the node is not active; arguments as for create_publisher."""
        node: Any = self
        publisher = node.create_publisher(msg_type, topic, qos_profile, publisher_class=LifecyclePublisher, **options)
        self.add_managed_entity(publisher)
        return publisher

    def destroy_lifecycle_publisher(self, publisher: LifecyclePublisher) -> bool:
        """Destroy a lifecycle publisher."""
        if publisher in self._managed_entities:
            self._managed_entities.remove(publisher)
        node: Any = self
        return node.destroy_publisher(publisher)

    def _pass_on(self, callback: str, state: LifecycleState) -> TransitionCallbackReturn:
        for entity in self._managed_entities:
            result = getattr(entity, callback)(state)
            if result is not TransitionCallbackReturn.SUCCESS:
                return result
        return TransitionCallbackReturn.SUCCESS

    # Callbacks to override; an override calls these to let publishers and other managed entities follow.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle configure; `state` is the state before."""
        return self._pass_on('on_configure', state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle cleanup."""
        return self._pass_on('on_cleanup', state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle shutdown."""
        return self._pass_on('on_shutdown', state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle activate."""
        return self._pass_on('on_activate', state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle deactivate."""
        return self._pass_on('on_deactivate', state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle an error of another callback; SUCCESS leads to unconfigured, anything else to finalized."""
        return self._pass_on('on_error', state)

    # Transitions

    def trigger_configure(self) -> TransitionCallbackReturn:
        """Configure; RCLError where that is not possible in the current state."""
        return self._trigger('configure')

    def trigger_cleanup(self) -> TransitionCallbackReturn:
        """Clean up."""
        return self._trigger('cleanup')

    def trigger_activate(self) -> TransitionCallbackReturn:
        """Activate."""
        return self._trigger('activate')

    def trigger_deactivate(self) -> TransitionCallbackReturn:
        """Deactivate."""
        return self._trigger('deactivate')

    def trigger_shutdown(self) -> TransitionCallbackReturn:
        """Shut down."""
        return self._trigger('shutdown')

    def _trigger(self, label: str) -> TransitionCallbackReturn:
        with self._transition_lock:
            return self._change(self._fitting(0, label))

    def _fitting(self, identifier: int, label: str) -> Transition:
        transition = find_transition(self._state_id, identifier, label)
        if transition is None:
            current = STATES[self._state_id].label
            raise RCLError(f'Transition is not registered: {label or identifier!r} in the state {current!r}')
        return transition

    def _change(self, transition: Transition) -> TransitionCallbackReturn:
        before = STATES[self._state_id]
        self._enter(TransitionMessage(id=transition.id, label=transition.label), transition.running)
        result = self._call(transition.callback, before)
        self._enter(result_transition(transition.callback, result), goal_state(transition, result))
        if result is TransitionCallbackReturn.ERROR:
            handled = self._call('on_error', before)
            self._enter(result_transition('on_error', handled), goal_after_error(handled))
        return result

    def _call(self, callback: str, before: LifecycleState) -> TransitionCallbackReturn:
        node: Any = self
        function: Callable[[LifecycleState], Any] = getattr(self, callback)
        try:
            return TransitionCallbackReturn(function(before))
        except Exception:  # an exception of user code is an error of the transition, not the end of the process
            node.get_logger().error(f'{callback} failed:\n{traceback.format_exc()}')
            return TransitionCallbackReturn.ERROR

    def _enter(self, transition: Any, goal: int) -> None:
        start, self._state_id = self._state_id, goal
        node: Any = self
        if self._transition_publisher is not None and node.context.ok():
            event = TransitionEvent(timestamp=time.time_ns(), transition=transition)
            event.start_state, event.goal_state = state_message(start), state_message(goal)
            self._transition_publisher.publish(event)

    # Services

    def _on_change_state(self, request: Any, response: Any) -> Any:
        """As rclpy: a label that does not fit the state is refused, an id that does not is an exception."""
        with self._transition_lock:
            try:
                transition = self._fitting(request.transition.id, request.transition.label)
            except RCLError:
                if not request.transition.label:
                    raise
                response.success = False
            else:
                response.success = self._change(transition) is TransitionCallbackReturn.SUCCESS
        return response

    def _on_get_state(self, request: Any, response: Any) -> Any:
        response.current_state = state_message(self._state_id)
        return response

    def _on_get_states(self, request: Any, response: Any) -> Any:
        response.available_states = [state_message(state) for state in sorted(STATES)]
        return response

    def _on_get_transitions(self, request: Any, response: Any) -> Any:
        response.available_transitions = [_describe(transition) for transition in available(self._state_id)]
        return response

    def _on_get_graph(self, request: Any, response: Any) -> Any:
        response.available_transitions = [
            *map(_describe, TRANSITIONS),
            *(_description(message, start, goal) for message, start, goal in result_transitions()),
        ]
        return response


def _describe(transition: Transition) -> Any:
    message = TransitionMessage(id=transition.id, label=transition.label)
    return _description(message, transition.start, transition.running)


def _description(transition: Any, start: int, goal: int) -> Any:
    return TransitionDescription(
        transition=transition, start_state=state_message(start), goal_state=state_message(goal)
    )


class LifecycleNode(LifecycleNodeMixin, Node):
    """A node with a managed life cycle; arguments as for Node."""

    def __init__(self, node_name: str, *, enable_communication_interface: bool = True, **options: Any):
        Node.__init__(self, node_name, **options)
        LifecycleNodeMixin.__init__(self, enable_communication_interface=enable_communication_interface)
