"""Subscriptions."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from cyclonedds.core import Entity as DdsEntity
from cyclonedds.core import ReadCondition
from embedded_ros.dds.transport import ANY_STATE, take
from embedded_ros.messages.classes import from_cdr

from rclpy._entity import Entity
from rclpy.callback_groups import CallbackGroup
from rclpy.qos import QoSProfile

if TYPE_CHECKING:
    from rclpy.node import Node


class CallbackType(Enum):
    """What a callback takes."""

    MessageOnly = 0
    WithMessageInfo = 1


def callback_type(callback: Callable[..., Any]) -> CallbackType:
    """Kind of a callback by its required positional arguments; RuntimeError where it takes neither one nor two."""
    try:
        parameters = list(inspect.signature(callback).parameters.values())
    except (TypeError, ValueError):  # built-in functions have no signature
        return CallbackType.MessageOnly
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    if required == 2:
        return CallbackType.WithMessageInfo
    variable = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if required == 1 or (required == 0 and (variable or positional)):
        return CallbackType.MessageOnly
    raise RuntimeError('a subscription callback takes one argument (the message) or two (message and its info)')


class Subscription(Entity):
    """Calls back with the messages of one topic; made by Node.create_subscription."""

    CallbackType = CallbackType

    def __init__(
        self,
        node: Node,
        msg_type: Any,
        topic: str,
        callback: Callable[..., Any],
        qos_profile: QoSProfile,
        callback_group: CallbackGroup | None,
        raw: bool,
    ):
        self._callback_type = callback_type(callback)
        super().__init__(node, callback_group)
        self.msg_type = msg_type
        self.topic_name = topic
        self.callback = callback
        self.qos_profile = qos_profile
        self.raw = raw
        qos = qos_profile.to_endpoint_qos(is_writer=False)
        self.reader = node.context.graph.create_reader('rt' + topic, msg_type.TYPE_NAME, qos)
        self._condition = ReadCondition(self.reader, ANY_STATE)

    def conditions(self) -> list[DdsEntity]:
        """Return the condition that data is there."""
        return [self._condition]

    def dds_entities(self) -> list[DdsEntity]:
        """Return what to delete with the subscription."""
        return [self._condition, self.reader]

    def take(self) -> tuple[Any, dict[str, int]] | None:
        """Take the oldest waiting message and its info, None when there is none."""
        sample = take(self.reader)
        if sample is None:
            return None
        data, info = sample
        stamps = {'source_timestamp': info.source_timestamp, 'received_timestamp': time.time_ns()}
        return (data if self.raw else from_cdr(data, self.msg_type)), stamps

    def take_work(self) -> Callable[[], Any] | None:
        """Take a message and return the call of the callback."""
        taken = self.take()
        if taken is None:
            return None
        message, info = taken
        if self._callback_type is CallbackType.MessageOnly:
            return lambda: self.callback(message)
        return lambda: self.callback(message, info)

    def get_publisher_count(self) -> int:
        """Return the number of matched publishers."""
        return self.handle.reader.get_subscription_matched_status().current_count

    @property
    def logger_name(self) -> str:
        """Name of the node's logger."""
        return self.node.get_logger().name
