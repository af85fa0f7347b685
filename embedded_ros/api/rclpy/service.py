"""Service servers, and the certainty that an answer has somewhere to go.

A client may discover the server, and send its first request, before the server has discovered the client's reader;
an answer written then would be lost. Both endpoints of a client carry the same id in their DDS user data.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclonedds.core import DDSException, ReadCondition
from cyclonedds.core import Entity as DdsEntity
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from embedded_ros.dds.transport import ANY_STATE, take, write

from rclpy._entity import Entity
from rclpy._service_wire import pack, unpack
from rclpy.callback_groups import CallbackGroup
from rclpy.qos import QoSProfile

if TYPE_CHECKING:
    from rclpy.node import Node

CLIENT_ID = re.compile(rb'clientid=[^;]*;')
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 1.0


def _client_id(qos: Qos) -> bytes | None:
    data = qos[Policy.Userdata].data if Policy.Userdata in qos else b''
    found = CLIENT_ID.search(data)
    return found.group() if found else None


class ReplyPath:
    """Remembers which requesters are known to be reachable by the reply writer of a service."""

    def __init__(self, request_reader: DataReader, reply_writer: DataWriter):
        self._reader, self._writer = request_reader, reply_writer
        self._reachable: set[int] = set()

    def wait_for(self, publication_handle: int) -> bool:
        """Wait until the writer of a request can be answered; False when it left or its reader was not found."""
        if publication_handle in self._reachable:
            return True
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            if self._is_matched(publication_handle):
                self._reachable.add(publication_handle)
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(POLL_SECONDS)

    def _is_matched(self, publication_handle: int) -> bool:
        try:
            requester = self._reader.get_matched_publication_data(publication_handle)
            client = None if requester is None else _client_id(requester.qos)
            if client is None:  # gone already, or a client without an id: nothing to compare
                return True
            handles = self._writer.get_matched_subscriptions()
            readers = (self._writer.get_matched_subscription_data(handle) for handle in handles)
            return any(reader is not None and _client_id(reader.qos) == client for reader in readers)
        except DDSException:  # the service is being destroyed
            return True


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
