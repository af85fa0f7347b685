"""Reactions to the states of lifecycle nodes."""

from __future__ import annotations

from typing import Any

from launch.event_handlers import EventHandler
from launch.events import Event

from .events.lifecycle import StateTransition

__all__ = ['OnStateTransition']


class OnStateTransition(EventHandler):
    """Runs `entities` when a lifecycle node changes its state as described by the labels that are given."""

    def __init__(
        self,
        *,
        entities: Any,
        target_lifecycle_node: Any = None,
        transition: str | None = None,
        start_state: str | None = None,
        goal_state: str | None = None,
        handle_once: bool = False,
    ) -> None:
        def matches(event: Event) -> bool:
            if not isinstance(event, StateTransition):
                return False
            wanted = (transition, start_state, goal_state)
            found = (event.transition, event.start_state, event.goal_state)
            is_target = target_lifecycle_node is None or event.action is target_lifecycle_node
            return is_target and all(want in (None, have) for want, have in zip(wanted, found, strict=True))

        super().__init__(matcher=matches, entities=entities, handle_once=handle_once)
