"""Wait until messages arrive on topics."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor


class WaitForTopics:
    """Subscribes to (topic, message type) pairs and waits for the first message of each.

    Use as a context manager (raises when a message is missing) or call wait and shutdown.
    """

    def __init__(
        self,
        topic_tuples: Iterable[tuple[str, Any]],
        timeout: float = 5.0,
        messages_received_buffer_length: int = 10,
        trigger: Callable[..., None] | None = None,
    ) -> None:
        if trigger is not None:
            raise NotImplementedError('launch_testing_ros.WaitForTopics: trigger')
        self.timeout = timeout
        self._length = messages_received_buffer_length
        self._topics = dict(topic_tuples)
        self._received: dict[str, list[Any]] = {topic: [] for topic in self._topics}
        self._changed = threading.Condition()
        self._stopping = False
        self._context = rclpy.context.Context()
        rclpy.init(args=[], context=self._context)
        self._node = rclpy.create_node(f'wait_for_topics_{os.getpid()}_{id(self):x}', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        for topic, message_type in self._topics.items():
            self._node.create_subscription(message_type, topic, self._keeper(topic), 10)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _keeper(self, topic: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            with self._changed:
                self._received[topic] = [*self._received[topic], message][-self._length :]
                self._changed.notify_all()

        return keep

    def _spin(self) -> None:
        while not self._stopping:
            self._executor.spin_once(timeout_sec=0.2)

    def wait(self) -> bool:
        """Return whether every topic had a message within the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.topics_not_received(), self.timeout)

    def topics_received(self) -> set[str]:
        """Return the topics that had a message."""
        return {topic for topic, messages in self._received.items() if messages}

    def topics_not_received(self) -> set[str]:
        """Return the topics that had no message yet."""
        return set(self._topics) - self.topics_received()

    def received_messages(self, topic_name: str) -> list[Any]:
        """Return the last messages of a topic.

        Raises:
            KeyError: when this does not wait for the topic.
        """
        with self._changed:
            return list(self._received[topic_name])

    def shutdown(self) -> None:
        """Stop and destroy the node."""
        self._stopping = True
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def __enter__(self) -> WaitForTopics:
        if not self.wait():
            missing = ', '.join(sorted(self.topics_not_received()))
            self.shutdown()
            raise RuntimeError(f'Did not receive messages on these topics within {self.timeout} s: {missing}')
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
