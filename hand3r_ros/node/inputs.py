"""Inputs other than images: received on the thread of the executor, read by the worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hand3r_ros.node.calibration import LatestCalibration
from hand3r_ros.node.depth_input import DepthInput
from hand3r_ros.node.detections import DetectionBuffer
from hand3r_ros.node.transforms import ParentListener, TransformsOnDemand


@dataclass(frozen=True, eq=False)
class ReceivedImage:
    """An image as it waits for the worker."""

    message: Any  # sensor_msgs/Image or CompressedImage
    arrival_ns: int  # when the callback had it, by the ROS clock


@dataclass(frozen=True)
class Inputs:
    """Names of the topics, and where what came in on them waits for its image."""

    image_topic: str
    calibration_topic: str
    detections_topic: str
    calibration: LatestCalibration
    detections: DetectionBuffer
    depth: DepthInput | None  # None when measured depth is not used
    transforms: TransformsOnDemand
    parents: ParentListener | None  # None when no transform is published
    publisher_count: Callable[[str], int]  # of a topic
