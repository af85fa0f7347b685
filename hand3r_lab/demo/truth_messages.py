"""Pure builders of the ground truth that the rendered camera publishes: boxes and depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from hand3r_ros.node import messages
from hand3r_ros.node.frame_sources import GroundTruth
from hand3r_ros.online.results import HandResult

SCENE_FRAME = 'scene_world'
"""Frame of ground_truth/camera_pose: the rendered scene's own world, z up."""


def depth_image(header: Header, depth: NDArray[np.float32]) -> Image:
    """sensor_msgs/Image 32FC1 of (H, W) metres; pixels that see nothing (0) become NaN (REP-117)."""
    height, width = depth.shape
    metres = np.where(depth > 0.0, depth, np.nan).astype('<f4')
    return Image(
        header=header,
        height=int(height),
        width=int(width),
        encoding='32FC1',
        is_bigendian=0,
        step=4 * int(width),
        data=messages.packed('B', metres.view(np.uint8)),
    )


def detections(header: Header, truth: GroundTruth, min_visible: float) -> Detection2DArray:
    """vision_msgs/Detection2DArray of the hands of which enough is visible."""
    return Detection2DArray(
        header=header,
        detections=[_detection(header, hand) for hand in truth.hands if hand.score >= min_visible],
    )


def _detection(header: Header, hand: HandResult) -> Detection2D:
    x1, y1, x2, y2 = (float(value) for value in hand.box)
    detection = Detection2D(header=header, id=str(int(hand.track_id)))
    detection.bbox.center.position.x = (x1 + x2) / 2.0
    detection.bbox.center.position.y = (y1 + y2) / 2.0
    detection.bbox.size_x, detection.bbox.size_y = x2 - x1, y2 - y1
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = hand.side.name.lower()
    hypothesis.hypothesis.score = 1.0
    detection.results = [hypothesis]
    return detection
