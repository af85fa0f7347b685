"""Waiting for one message."""

import time
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

POLL_SECONDS = 0.005


class _HiddenFromExecutors(ReentrantCallbackGroup):
    """Keeps an executor that spins the node from taking the message."""

    def can_execute(self, entity: Any) -> bool:
        """Return False."""
        return False


def wait_for_message(
    msg_type: Any, node: Node, topic: str, *, qos_profile: QoSProfile | int = 1, time_to_wait: float = -1
) -> tuple[bool, Any]:
    """Wait for the next message of a topic: (True, message), or (False, None) when the time (s) was over before.

    The node need not be spun.
    """
    subscription = node.create_subscription(
        msg_type, topic, lambda message: None, qos_profile, callback_group=_HiddenFromExecutors()
    )
    end = None if time_to_wait < 0 else time.monotonic() + time_to_wait
    try:
        while node.context.ok():
            taken = subscription.take()
            if taken is not None:
                return True, taken[0]
            if end is not None and time.monotonic() >= end:
                break
            time.sleep(POLL_SECONDS)
        return False, None
    finally:
        node.destroy_subscription(subscription)
