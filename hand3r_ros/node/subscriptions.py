"""The node's subscriptions: images go to the mailbox, calibration and detections to where the worker finds them."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.calibration import (
    CalibrationError,
    intrinsics_from_camera_info,
    is_distorted,
)
from hand3r_ros.node.detections import detections_from_message
from hand3r_ros.node.inputs import Inputs
from hand3r_ros.node.mailbox import Mailbox
from hand3r_ros.node.parameters import DETECTORS_WITH_TOPIC, NodeParameters
from hand3r_ros.node.stamps import stamp_nanoseconds

IMAGE_TOPICS = {'raw': 'image', 'compressed': 'image/compressed'}
DETECTIONS_DEPTH = 10


class Subscriptions:
    """Receives between activate and deactivate; callbacks only store, so the executor is never held up."""

    def __init__(
        self,
        node: Node,
        parameters: NodeParameters,
        accounting: Accounting,
        mailbox: Mailbox[Any],
        inputs: Inputs,
    ) -> None:
        self.enabled = True
        self._node = node
        self._parameters = parameters
        self._accounting = accounting
        self._mailbox = mailbox
        self._inputs = inputs
        self._subscriptions: list[Any] = []

        image_type = Image if parameters.image_transport == 'raw' else CompressedImage
        image_topic = IMAGE_TOPICS[parameters.image_transport]
        self._subscribe(image_type, image_topic, self._on_image, _image_qos(parameters))
        if parameters.use_camera_info:
            self._subscribe(CameraInfo, 'camera_info', self._on_camera_info, _best_effort(1))
        if parameters.detector in DETECTORS_WITH_TOPIC:
            self._subscribe(Detection2DArray, 'detections', self._on_detections, _best_effort(DETECTIONS_DEPTH))

    def close(self) -> None:
        """Stop receiving."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _subscribe(self, message_type: type, topic: str, callback: Any, qos: QoSProfile) -> None:
        self._subscriptions.append(self._node.create_subscription(message_type, topic, callback, qos))

    def _on_image(self, message: Any) -> None:
        if not self.enabled:
            return
        self._accounting.count('received')
        if self._mailbox.put(message):
            self._accounting.count('dropped')

    def _on_camera_info(self, message: CameraInfo) -> None:
        topic = self._inputs.calibration_topic
        try:
            intrinsics = intrinsics_from_camera_info(message, self._parameters.rectified)
        except CalibrationError as error:
            self._accounting.reject(topic, error.cause, f'{error}; keeping the calibration from before')
            return
        if intrinsics is not None and is_distorted(message) and not self._parameters.rectified:
            self._accounting.warn(
                topic, 'distorted', 'the lens distorts, which is ignored: rectify the image and set rectified:=true'
            )
        self._inputs.calibration.set(intrinsics)

    def _on_detections(self, message: Detection2DArray) -> None:
        hands, problems = detections_from_message(message)
        if problems:
            self._accounting.reject(self._inputs.detections_topic, 'bad detection', '; '.join(problems))
        self._inputs.detections.add(stamp_nanoseconds(message.header.stamp), hands)


def _image_qos(parameters: NodeParameters) -> QoSProfile:
    """The newest image only; waiting images would be old when their turn comes."""
    reliability = {'best_effort': ReliabilityPolicy.BEST_EFFORT, 'reliable': ReliabilityPolicy.RELIABLE}
    return QoSProfile(depth=1, reliability=reliability[parameters.image_reliability])


def _best_effort(depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
