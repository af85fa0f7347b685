"""The entities of a node: what there is, how it is announced, and how it is destroyed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from embedded_ros.dds.graph import LocalNode
from embedded_ros.dds.transport import delete

from rclpy._entity import Entity
from rclpy.client import Client
from rclpy.publisher import Publisher
from rclpy.service import Service
from rclpy.subscription import Subscription
from rclpy.timer import Timer

if TYPE_CHECKING:
    from rclpy.context import Context


class NodeEntities:
    """Mixed into Node, which calls `_init_entities` and `_enter_graph` first and `_leave_graph` at last."""

    if TYPE_CHECKING:
        context: Context

    def _init_entities(self) -> None:
        self.executor: Any = None
        self._entities: list[Entity] = []
        self._publishers: list[Publisher] = []
        self._lock = threading.RLock()
        self._is_in_graph = False

    def _enter_graph(self, announcement: LocalNode) -> None:
        self._announcement = announcement
        self._is_in_graph = True
        self.context.graph.add_node(announcement)
        self.context.track_node(+1)

    def _leave_graph(self) -> None:
        """Leave the graph at once, then destroy all entities."""
        self._is_in_graph = False
        if self.context.ok():
            self.context.graph.remove_node(self._announcement)
        for entity in self.executable_entities():
            self.destroy_entity(entity)
        for publisher in list(self._publishers):
            self.destroy_publisher(publisher)
        self.context.track_node(-1)

    def _announce(self) -> None:
        if self._is_in_graph and self.context.ok():
            self.context.graph.announce()

    def _add_publisher(self, publisher: Publisher) -> None:
        with self._lock:
            self._publishers.append(publisher)
            self._announcement.writers.append(publisher.writer.guid.bytes)
        self._announce()

    def _announced_endpoints(self) -> tuple[tuple[str, list[bytes]], ...]:
        return ('reader', self._announcement.readers), ('writer', self._announcement.writers)

    def _add(self, entity: Any) -> Any:
        with self._lock:
            self._entities.append(entity)
            for attribute, announced in self._announced_endpoints():
                if hasattr(entity, attribute):
                    announced.append(getattr(entity, attribute).guid.bytes)
        if hasattr(entity, 'reader'):
            self._announce()
        self.wake_executor()
        return entity

    # What there is

    def executable_entities(self) -> list[Entity]:
        """Return what an executor has to look at."""
        with self._lock:
            return list(self._entities)

    def wake_executor(self) -> None:
        """Let the executor look for work again."""
        if self.executor is not None:
            self.executor.wake()

    def _of_type(self, kind: type) -> Iterator[Any]:
        return (entity for entity in self.executable_entities() if isinstance(entity, kind))

    @property
    def publishers(self) -> Iterator[Publisher]:
        """The publishers."""
        return iter(list(self._publishers))

    @property
    def subscriptions(self) -> Iterator[Subscription]:
        """The subscriptions."""
        return self._of_type(Subscription)

    @property
    def services(self) -> Iterator[Service]:
        """The service servers."""
        return self._of_type(Service)

    @property
    def clients(self) -> Iterator[Client]:
        """The service clients."""
        return self._of_type(Client)

    @property
    def timers(self) -> Iterator[Timer]:
        """The timers."""
        return self._of_type(Timer)

    # Destroying

    def destroy_publisher(self, publisher: Publisher) -> bool:
        """Destroy a publisher; False when it is not one of this node."""
        with self._lock:
            if publisher not in self._publishers:
                return False
            self._publishers.remove(publisher)
            self._announcement.writers.remove(publisher.writer.guid.bytes)
            publisher._destroyed = True
        if publisher.events is not None:
            self.destroy_entity(publisher.events)
        delete(publisher.writer)
        self._announce()
        return True

    def destroy_entity(self, entity: Entity) -> bool:
        """Destroy a subscription, service, client or timer; False when it is not of this node."""
        with self._lock:
            if entity not in self._entities:
                return False
            self._entities.remove(entity)
            dds_entities = entity.dds_entities()
            for attribute, announced in self._announced_endpoints():
                if hasattr(entity, attribute):
                    announced.remove(getattr(entity, attribute).guid.bytes)
            entity._destroyed = True
        if entity.events is not None:
            self.destroy_entity(entity.events)
        entity.callback_group.remove_entity(entity)
        self.wake_executor()
        for dds_entity in dds_entities:
            delete(dds_entity)
        if dds_entities:
            self._announce()
        return True

    def destroy_subscription(self, subscription: Subscription) -> bool:
        """Destroy a subscription."""
        return self.destroy_entity(subscription)

    def destroy_service(self, service: Service) -> bool:
        """Destroy a service server."""
        return self.destroy_entity(service)

    def destroy_client(self, client: Client) -> bool:
        """Destroy a service client."""
        return self.destroy_entity(client)

    def destroy_timer(self, timer: Timer) -> bool:
        """Destroy a timer."""
        return self.destroy_entity(timer)
