"""What the executors run: the common base of subscriptions, services, clients and timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclonedds.core import Entity as DdsEntity

from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.callback_groups import CallbackGroup

if TYPE_CHECKING:
    from rclpy.node import Node


class Entity:
    """Belongs to a node and a callback group; gives work to an executor."""

    def __init__(self, node: Node, callback_group: CallbackGroup | None):
        self.node = node
        self.callback_group = callback_group or node.default_callback_group
        self.callback_group.add_entity(self)
        self.events: Entity | None = None  # QoS events of the entity, set by the node
        self._destroyed = False

    @property
    def handle(self) -> Any:
        """The entity itself; InvalidHandle once it is destroyed."""
        if self._destroyed:
            raise InvalidHandle(f'{type(self).__name__} was destroyed')
        return self

    def conditions(self) -> list[DdsEntity]:
        """DDS conditions that announce new work."""
        return []

    def take_work(self) -> Callable[[], Any] | None:
        """Take the next piece of work, None when there is none."""
        raise NotImplementedError(f'{type(self).__name__}.take_work')

    def dds_entities(self) -> list[DdsEntity]:
        """DDS entities to delete with this entity, in that order."""
        return []

    def destroy(self) -> None:
        """Remove this entity from its node."""
        self.node.destroy_entity(self)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.destroy()
