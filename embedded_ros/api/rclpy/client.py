"""Service clients."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclonedds.core import Entity as DdsEntity
from cyclonedds.core import ReadCondition
from embedded_ros.dds.transport import ANY_STATE, take, write

from rclpy._entity import Entity
from rclpy._service_wire import RequestId, pack, unpack
from rclpy.callback_groups import CallbackGroup
from rclpy.qos import QoSProfile
from rclpy.task import Future

if TYPE_CHECKING:
    from rclpy.node import Node

POLL_SECONDS = 0.02


class Client(Entity):
    """Calls a service; made by Node.create_client. Answers arrive while an executor spins the node."""

    def __init__(
        self, node: Node, srv_type: Any, srv_name: str, qos_profile: QoSProfile, callback_group: CallbackGroup | None
    ):
        super().__init__(node, callback_group)
        self.srv_type = srv_type
        self.srv_name = self.service_name = srv_name
        self.qos_profile = qos_profile
        qos = qos_profile.to_endpoint_qos(is_writer=True)
        pair = node.context.graph.create_service_pair(srv_name, srv_type.TYPE_NAME, qos, is_server=False)
        self.writer, self.reader = pair
        self._condition = ReadCondition(self.reader, ANY_STATE)
        self._client_id = int.from_bytes(secrets.token_bytes(8), 'little')
        self._numbers = itertools.count(1)
        self._pending: dict[int, Future] = {}
        self._lock = threading.Lock()

    def conditions(self) -> list[DdsEntity]:
        """Return the condition that an answer is there."""
        return [self._condition]

    def dds_entities(self) -> list[DdsEntity]:
        """Return what to delete with the client."""
        return [self._condition, self.reader, self.writer]

    def take_work(self) -> Callable[[], Any] | None:
        """Take the next answer to this client; those to other clients of the service are dropped."""
        while (sample := take(self.reader)) is not None:
            request_id, response = unpack(sample[0], self.srv_type.Response)
            if request_id.client_id == self._client_id:
                with self._lock:
                    future = self._pending.pop(request_id.sequence_number, None)
                if future is not None:
                    return lambda: future.set_result(response)
        return None

    def call_async(self, request: Any) -> Future:
        """Send a request; the future gets the response."""
        _ = self.handle
        if not isinstance(request, self.srv_type.Request):
            raise TypeError(f'Expected {self.srv_type.Request}, got {type(request)}')
        future = Future()
        with self._lock:
            number = next(self._numbers)
            self._pending[number] = future
        write(self.writer, pack(RequestId(self._client_id, number), request))
        return future

    def call(self, request: Any, timeout_sec: float | None = None) -> Any:
        """Send a request and wait for the response; None when the time is over.

        Another thread must spin the node, otherwise the answer cannot arrive.
        """
        finished = threading.Event()
        future = self.call_async(request)
        future.add_done_callback(lambda _: finished.set())
        if not finished.wait(None if timeout_sec is None or timeout_sec < 0 else timeout_sec):
            self.remove_pending_request(future)
            return None
        return future.result()

    def remove_pending_request(self, future: Future) -> None:
        """Wait no longer for the answer of this future."""
        with self._lock:
            self._pending = {number: other for number, other in self._pending.items() if other is not future}

    def service_is_ready(self) -> bool:
        """Return whether a server is matched in both directions."""
        return (
            bool(self.handle.writer.get_matched_subscriptions())
            and self.reader.get_subscription_matched_status().current_count > 0
        )

    def wait_for_service(self, timeout_sec: float | None = None) -> bool:
        """Wait for a server; False when the time was over before."""
        end = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        while self.node.context.ok() and not self.service_is_ready():
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(POLL_SECONDS)
        return self.node.context.ok() and self.service_is_ready()
