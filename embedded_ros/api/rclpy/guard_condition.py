"""Guard conditions: callbacks triggered by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy._entity import Entity
from rclpy.callback_groups import CallbackGroup

if TYPE_CHECKING:
    from rclpy.node import Node


class GuardCondition(Entity):
    """Runs its callback in the executor after `trigger`; made by Node.create_guard_condition."""

    def __init__(self, node: Node, callback: Callable[[], Any] | None, callback_group: CallbackGroup | None):
        super().__init__(node, callback_group)
        self.callback = callback
        self._triggered = False

    def trigger(self) -> None:
        """Let the executor call back; safe from any thread."""
        self._triggered = True
        self.node.wake_executor()

    def take_work(self) -> Callable[[], Any] | None:
        """Return the callback once per trigger."""
        if not self._triggered:
            return None
        self._triggered = False
        return self.callback or (lambda: None)
