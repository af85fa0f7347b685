"""Publishers of the node, and the order of one result: TF first, then everything of the same stamp."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster

from hand3r_msgs.msg import Hand3RStatus
from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.node import frames, messages_scene, topics
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.node.qos import create_overridable, reliable
from hand3r_ros.node.result_messages import Moment, OutgoingTransforms, ResultMessages
from hand3r_ros.node.tf_tree import Parents
from hand3r_ros.node.topics import OUTPUT_TOPICS, OutputTopic
from hand3r_ros.online.mapping import MapCloud
from hand3r_ros.online.results import FrameResult


class Outputs:
    """All publishers between configure and cleanup; ``publish_*`` build only what has a subscriber.

    Raises :class:`QosOverrideError` when a user's QoS is refused; nothing is left over then.
    """

    def __init__(
        self,
        node: LifecycleNode,
        hand_model: HandModelData,
        lookup_base: frames.BaseLookup,
        parents: Callable[[], Parents],
    ) -> None:
        self._node = node
        self._messages = ResultMessages(hand_model, lookup_base, parents)
        self._broadcaster = TransformBroadcaster(node)
        self._publishers: dict[OutputTopic, LifecyclePublisher] = {}
        try:
            for topic in OUTPUT_TOPICS:
                self._publishers[topic] = self._create(topic)
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Destroy every publisher."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()
        self._node.destroy_publisher(self._broadcaster.pub_tf)

    def publish_topology(self) -> None:
        """Send what does not change; late joiners get it too."""
        stamp = self._node.get_clock().now().to_msg()
        self._publishers[topics.HAND_TOPOLOGY].publish(self._messages.topology(stamp))

    def publish_result(self, result: FrameResult, header: Header, parameters: NodeParameters) -> OutgoingTransforms:
        """Send everything that one image gave; ``header`` is that of the image. Gives what went to /tf."""
        transforms = self._messages.transforms(result, header, parameters)
        if transforms.messages:
            self._broadcaster.sendTransform(transforms.messages)
        now = Moment(self._node.get_clock().now().to_msg(), time.monotonic())
        for topic, message in self._messages.of_frame(result, header, parameters, now, self._wanted):
            self._publishers[topic].publish(message)
        return transforms

    def publish_map(self, cloud: MapCloud, header: Header) -> None:
        """Send the whole map; ``header.frame_id`` is the world."""
        self._publishers[topics.MAP].publish(messages_scene.point_cloud(header, cloud.points, cloud.colors))

    def publish_status(self, status: Hand3RStatus) -> None:
        """Send the node's status."""
        self._publishers[topics.STATUS].publish(status)

    def forget_session(self) -> None:
        """The world frame is another one from now on: begin a new camera path, at once."""
        self._messages.forget_session()

    def _create(self, topic: OutputTopic) -> LifecyclePublisher:
        create, qos = self._node.create_lifecycle_publisher, reliable(topic.depth, keep_for_late_joiners=topic.latched)
        if not topic.overridable:
            return create(topic.message_type, topic.name, qos)
        full_name = self._node.resolve_topic_name(topic.name)
        return create_overridable(create, topic.message_type, topic.name, qos, topic=full_name)

    def _wanted(self, topic: OutputTopic) -> bool:
        return bool(self._publishers[topic].get_subscription_count() > 0)
