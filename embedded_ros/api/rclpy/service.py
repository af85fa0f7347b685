"""Service servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclonedds.core import Entity as DdsEntity
from cyclonedds.core import ReadCondition
from embedded_ros.dds.transport import ANY_STATE, take, write

from rclpy._entity import Entity
from rclpy._reply_path import ReplyPath
from rclpy._service_wire import pack, unpack
from rclpy.callback_groups import CallbackGroup
from rclpy.qos import QoSProfile

if TYPE_CHECKING:
    from rclpy.node import Node


class Service(Entity):
    """Answers requests with `callback(request, response) -> response`; made by Node.create_service."""

    def __init__(
        self,
        node: Node,
        srv_type: Any,
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        qos_profile: QoSProfile,
        callback_group: CallbackGroup | None,
    ):
        super().__init__(node, callback_group)
        self.srv_type = srv_type
        self.srv_name = self.service_name = srv_name
        self.callback = callback
        self.qos_profile = qos_profile
        qos = qos_profile.to_endpoint_qos(is_writer=True)
        pair = node.context.graph.create_service_pair(srv_name, srv_type.TYPE_NAME, qos, is_server=True)
        self.writer, self.reader = pair
        self._reply_path = ReplyPath(self.reader, self.writer)
        self._condition = ReadCondition(self.reader, ANY_STATE)

    def conditions(self) -> list[DdsEntity]:
        """Return the condition that a request is there."""
        return [self._condition]

    def dds_entities(self) -> list[DdsEntity]:
        """Return what to delete with the service."""
        return [self._condition, self.reader, self.writer]

    def take_work(self) -> Callable[[], Any] | None:
        """Take a request and return the call that answers it."""
        sample = take(self.reader)
        return None if sample is None else lambda: self._answer(*sample)

    def _answer(self, data: bytes, info: Any) -> None:
        request_id, request = unpack(data, self.srv_type.Request)
        response = self.callback(request, self.srv_type.Response())
        if not isinstance(response, self.srv_type.Response):
            raise TypeError(f'the callback of service {self.srv_name} must return the response, got {response!r:.80}')
        self._reply_path.wait_for(info.publication_handle)
        if not self._destroyed and self.node.context.ok():
            write(self.writer, pack(request_id, response))
