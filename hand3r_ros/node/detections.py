"""Hand boxes from a vision_msgs/Detection2DArray topic, matched to images by their stamp."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

import numpy as np

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.names import shortened
from hand3r_ros.online.results import HandDetection

_SIDES = {'left': HandSide.LEFT, 'right': HandSide.RIGHT}


def detections_from_message(message: Any) -> tuple[tuple[HandDetection, ...], list[str]]:
    """Hands of a Detection2DArray, and what was wrong with those that were left out.

    The best hypothesis of each detection gives side (``class_id`` 'left' or 'right') and score; a numeric ``id``
    becomes the track id. Boxes are centre and size in pixels, unrotated.
    """
    hands: list[HandDetection] = []
    problems: list[str] = []
    for index, detection in enumerate(message.detections):
        try:
            hands.append(_hand_from_detection(detection))
        except ValueError as error:
            problems.append(f'detection {index}: {error}')
    return tuple(hands), problems


def _hand_from_detection(detection: Any) -> HandDetection:
    if not detection.results:
        raise ValueError("it has no result; class_id must be 'left' or 'right'")
    best = max(detection.results, key=lambda result: result.hypothesis.score).hypothesis
    side = _SIDES.get(best.class_id.strip().lower())
    if side is None:
        raise ValueError(f"class_id '{shortened(best.class_id)}' is neither 'left' nor 'right'")
    center, box = detection.bbox.center.position, detection.bbox
    half_width, half_height = box.size_x / 2.0, box.size_y / 2.0
    corners = np.array([center.x - half_width, center.y - half_height, center.x + half_width, center.y + half_height])
    if not np.isfinite(corners).all() or half_width <= 0.0 or half_height <= 0.0:
        raise ValueError(f'box {corners.tolist()} (x1, y1, x2, y2) is not a finite area')
    score = float(best.score)
    if not 0.0 <= score <= 1.0:
        raise ValueError(f'score {score} is not within 0 and 1')
    return HandDetection(corners, side, score, _track_id(detection.id))


def _track_id(text: str) -> int:
    """The number in a detection's id, -1 when it is not one that fits an int32."""
    try:
        number = int(text)
    except ValueError:
        return -1
    return number if 0 <= number < 2**31 else -1


class DetectionBuffer:
    """The newest detections by stamp; filled by the executor's thread, waited for by the worker's."""

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._arrived = threading.Condition()
        self._by_stamp: OrderedDict[int, tuple[HandDetection, ...]] = OrderedDict()

    def add(self, stamp_ns: int, hands: tuple[HandDetection, ...]) -> None:
        """Remember the hands of the image with this stamp; the oldest entries are forgotten."""
        with self._arrived:
            self._by_stamp[stamp_ns] = hands
            while len(self._by_stamp) > self._capacity:
                self._by_stamp.popitem(last=False)
            self._arrived.notify_all()

    def wait_for(self, stamp_ns: int, timeout: float) -> tuple[HandDetection, ...] | None:
        """Hands of the image with this stamp, waiting up to ``timeout`` seconds; None when none came."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while stamp_ns not in self._by_stamp:
                remaining = deadline - time.monotonic()
                if remaining <= 0.0:
                    return None
                self._arrived.wait(remaining)
            return self._by_stamp[stamp_ns]

    def clear(self) -> None:
        """Forget everything (a new session begins)."""
        with self._arrived:
            self._by_stamp.clear()
