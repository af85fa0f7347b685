"""Subscriptions of the node: images go to the mailbox, calibration and detections to buffers of the worker."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.calibration import CalibrationError, calibration_from_camera_info
from hand3r_ros.node.detections import detections_from_message, sides_of_classes, told
from hand3r_ros.node.inputs import Inputs, ReceivedImage
from hand3r_ros.node.mailbox import Mailbox
from hand3r_ros.node.parameters import DETECTORS_WITH_TOPIC, NodeParameters
from hand3r_ros.node.qos import DETECTIONS_DEPTH, IMAGE_DEPTH, best_effort, create_overridable
from hand3r_ros.node.stamps import StampError, checked_nanoseconds

IMAGE_TOPICS = {'raw': 'image', 'compressed': 'image/compressed'}
DEPTH_TOPICS = {'raw': 'depth', 'compressedDepth': 'depth/compressedDepth'}
DEPTH_INFO_TOPIC = 'depth/camera_info'


class Subscriptions:
    """Receives between activate and deactivate; callbacks only store, so the executor is never held up.

    Raises :class:`QosOverrideError` when a user's QoS is refused; nothing is subscribed then.
    """

    def __init__(
        self,
        node: Node,
        parameters: NodeParameters,
        accounting: Accounting,
        mailbox: Mailbox[ReceivedImage],
        inputs: Inputs,
    ) -> None:
        self._enabled = True
        self._node = node
        self._parameters = parameters
        self._sides = sides_of_classes(parameters.detections)
        self._accounting = accounting
        self._mailbox = mailbox
        self._inputs = inputs
        self._subscriptions: list[Any] = []

        try:
            self._subscribe_all(parameters)
        except Exception:
            self.close()
            raise

    def _subscribe_all(self, parameters: NodeParameters) -> None:
        image_type = Image if parameters.image_transport == 'raw' else CompressedImage
        image_topic = IMAGE_TOPICS[parameters.image_transport]
        self._subscribe(image_type, image_topic, self._on_image, best_effort(IMAGE_DEPTH))
        if parameters.use_camera_info:
            self._subscribe(CameraInfo, 'camera_info', self._on_camera_info, best_effort())
        if parameters.detector in DETECTORS_WITH_TOPIC:
            self._subscribe(Detection2DArray, 'detections', self._on_detections, best_effort(DETECTIONS_DEPTH))

        if self._inputs.depth is not None:
            depth_type = Image if parameters.depth_transport == 'raw' else CompressedImage
            self._subscribe(
                depth_type, DEPTH_TOPICS[parameters.depth_transport], self._on_depth, best_effort(IMAGE_DEPTH)
            )
            self._subscribe(CameraInfo, DEPTH_INFO_TOPIC, self._inputs.depth.on_camera_info, best_effort())

    def enable(self, enabled: bool) -> None:
        """Take images or ignore them; one that still waits when they are to be ignored is thrown away."""
        self._enabled = enabled
        if not enabled:
            self._mailbox.empty()

    def close(self) -> None:
        """Stop receiving."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _subscribe(self, message_type: type, topic: str, callback: Any, qos: QoSProfile) -> None:
        create, full_name = self._node.create_subscription, self._node.resolve_topic_name(topic)
        self._subscriptions.append(create_overridable(create, message_type, topic, callback, qos, topic=full_name))

    def _on_image(self, message: Any) -> None:
        if not self._enabled:
            return
        self._accounting.count('received')
        self._mailbox.put(ReceivedImage(message, self._node.get_clock().now().nanoseconds))

    def _on_depth(self, message: Any) -> None:
        if self._enabled and self._inputs.depth is not None:
            self._inputs.depth.on_depth(message, self._node.get_clock().now().nanoseconds)

    def _on_camera_info(self, message: CameraInfo) -> None:
        topic = self._inputs.calibration_topic
        try:
            calibration = calibration_from_camera_info(message, self._parameters.rectified)
        except CalibrationError as error:
            self._accounting.reject(topic, error.cause, self._inputs.calibration.refuse(str(error)))
            return
        self._inputs.calibration.set(calibration)

    def _on_detections(self, message: Detection2DArray) -> None:
        topic = self._inputs.detections_topic
        try:
            stamp_ns = checked_nanoseconds(message.header.stamp)
        except StampError as error:
            self._accounting.reject(topic, error.cause, str(error))
            return
        hands, problems = detections_from_message(message, self._sides)
        if problems:
            self._accounting.reject(topic, 'bad detection', told(problems))
        self._inputs.detections.add(stamp_ns, hands, self._node.get_clock().now().nanoseconds)
