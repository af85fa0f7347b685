"""Hand boxes from a vision_msgs/Detection2DArray topic: validity, and association with images."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.names import class_key, shortened
from hand3r_ros.node.parameters import DetectionParameters
from hand3r_ros.online.results import HandDetection

MOST_PROBLEMS = 3
"""Detections of one message that are reported individually."""
FRACTION = 2.0
"""No box in pixels ends below this; one in fractions of the image does."""

Sides = Mapping[str, HandSide]
"""Which side a class id stands for, by its :func:`class_key`."""


def sides_of_classes(parameters: DetectionParameters) -> Sides:
    """From the parameters ``detections.left`` and ``detections.right``."""
    left = {class_key(name): HandSide.LEFT for name in parameters.left}
    return {**left, **{class_key(name): HandSide.RIGHT for name in parameters.right}}


DEFAULT_SIDES = sides_of_classes(DetectionParameters())


def detections_from_message(message: Any, sides: Sides = DEFAULT_SIDES) -> tuple[tuple[HandDetection, ...], list[str]]:
    """Hands of a Detection2DArray, and what was wrong with those that were left out.

    The best hypothesis of each detection gives side (``class_id``, see :func:`sides_of_classes`) and score; a numeric
    ``id`` becomes the track id. Boxes are centre and size in pixels, unrotated.
    """
    hands: list[HandDetection] = []
    problems: list[str] = []
    for index, detection in enumerate(message.detections):
        try:
            hands.append(_hand_from_detection(detection, sides))
        except ValueError as error:
            problems.append(f'detection {index}: {error}')
    return tuple(hands), problems


def boxes_in_image(
    hands: Iterable[HandDetection], width: int, height: int, smallest: float
) -> tuple[tuple[HandDetection, ...], list[str]]:
    """Hands whose boxes can be those of hands in an image of this size, and what is wrong with the others.

    ``smallest`` is the side in pixels below which a hand is not looked at.
    """
    kept: list[HandDetection] = []
    problems: list[str] = []
    for hand in hands:
        problem = _box_problem(np.asarray(hand.box, float), width, height, smallest)
        if problem is None:
            kept.append(hand)
        else:
            problems.append(f'box {np.round(hand.box, 3).tolist()} (x1, y1, x2, y2) {problem}')
    return tuple(kept), problems


def told(problems: list[str]) -> str:
    """Several problems on one line, the first of them in words."""
    more = len(problems) - MOST_PROBLEMS
    return '; '.join(problems[:MOST_PROBLEMS]) + (f'; and {more} more' if more > 0 else '')


def why_unmatched(stamp_ns: int, nearest_ns: int | None) -> str:
    """Why an image with this stamp has no boxes, from the stamp of boxes nearest to it; None: no boxes came."""
    if nearest_ns is None:
        return 'no boxes have come yet'
    milliseconds = (nearest_ns - stamp_ns) / 1e6
    return (
        f'no boxes have the stamp of the image; the nearest are {abs(milliseconds):.3f} ms '
        f'{"later" if milliseconds > 0 else "earlier"}: a detector has to give its boxes the stamp of their image'
    )


def _hand_from_detection(detection: Any, sides: Sides) -> HandDetection:
    if not detection.results:
        raise ValueError("it has no result; class_id must say the side, such as 'left' or 'right'")
    best = max(detection.results, key=lambda result: result.hypothesis.score).hypothesis
    side = sides.get(class_key(best.class_id))
    if side is None:
        raise ValueError(
            f"class_id '{shortened(best.class_id)}' is in neither of the parameters detections.left and "
            'detections.right'
        )
    center, box = detection.bbox.center.position, detection.bbox
    half_width, half_height = box.size_x / 2.0, box.size_y / 2.0
    corners = np.array([center.x - half_width, center.y - half_height, center.x + half_width, center.y + half_height])
    if not np.isfinite(corners).all() or half_width <= 0.0 or half_height <= 0.0:
        raise ValueError(f'box {corners.tolist()} (x1, y1, x2, y2) is not a finite area')
    score = float(best.score)
    if not 0.0 <= score <= 1.0:
        raise ValueError(f'score {score} is not within 0 and 1')
    return HandDetection(corners, side, score, _track_id(detection.id))


def _box_problem(box: np.ndarray, width: int, height: int, smallest: float) -> str | None:
    size = box[2:] - box[:2]
    if np.abs(box).max() < FRACTION:
        return 'is in fractions of the image; boxes are given in pixels'
    if (size < smallest).any():
        return f'is smaller than {smallest:g} pixels'
    if (box[2:] <= 0.0).any() or (box[:2] >= [width - 1, height - 1]).any():
        return f'is outside of the image of {width} x {height} pixels'
    return None


def _track_id(text: str) -> int:
    """The number in a detection's id, -1 when it is not one that fits an int32."""
    try:
        number = int(text)
    except ValueError:
        return -1
    return number if 0 <= number < 2**31 else -1


class DetectionBuffer:
    """The newest detections by stamp; filled by the executor's thread, waited for by the worker's.

    Boxes without stamp (0) belong to the image without stamp that arrived last before them.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._arrived = threading.Condition()
        self._by_stamp: OrderedDict[int, tuple[HandDetection, ...]] = OrderedDict()
        self._unstamped: tuple[int, tuple[HandDetection, ...]] | None = None  # when they arrived, and they
        self._missed: deque[int] = deque(maxlen=capacity)  # stamps that were waited for in vain, one after the other

    def add(self, stamp_ns: int, hands: tuple[HandDetection, ...], arrival_ns: int = 0) -> None:
        """Remember the hands of the image with this stamp; the oldest entries are forgotten."""
        with self._arrived:
            if stamp_ns == 0:
                self._unstamped = (arrival_ns, hands)
            else:
                self._by_stamp[stamp_ns] = hands
            while len(self._by_stamp) > self._capacity:
                self._by_stamp.popitem(last=False)
            self._arrived.notify_all()

    def wait_for(self, stamp_ns: int, timeout: float, arrived_after_ns: int = 0) -> tuple[HandDetection, ...] | None:
        """Hands of the image with this stamp, waiting up to ``timeout`` seconds; None when none came.

        For an image without stamp (0) those that arrived after it, which was at ``arrived_after_ns``.
        """
        deadline = time.monotonic() + timeout
        with self._arrived:
            while (hands := self._hands_of(stamp_ns, arrived_after_ns)) is None:
                remaining = deadline - time.monotonic()
                if remaining <= 0.0:
                    self._missed.append(stamp_ns)
                    return None
                self._arrived.wait(remaining)
            self._missed.clear()
            return hands

    @property
    def missed(self) -> int:
        """How many images in a row were waited for in vain, up to the capacity."""
        with self._arrived:
            return len(self._missed)

    def why_missed(self, stamp_ns: int, waited: float) -> str:
        """Why nothing came for the image with this stamp within ``waited`` seconds."""
        with self._arrived:
            if any(missed in self._by_stamp for missed in self._missed):
                return (
                    f'boxes come later than detections.wait, {waited:g} s, allows: raise it, or take a faster detector'
                )
            nearest = min(self._by_stamp, key=lambda known: abs(known - stamp_ns), default=None)
            if nearest is None and self._unstamped is not None:
                return 'boxes carry no stamp (0): a detector has to give them the stamp of their image'
            return why_unmatched(stamp_ns, nearest)

    def clear(self) -> None:
        """Forget everything (a new session begins)."""
        with self._arrived:
            self._by_stamp.clear()
            self._unstamped = None
            self._missed.clear()

    def _hands_of(self, stamp_ns: int, arrived_after_ns: int) -> tuple[HandDetection, ...] | None:
        if stamp_ns:
            return self._by_stamp.get(stamp_ns)
        if self._unstamped is None or self._unstamped[0] < arrived_after_ns:
            return None
        return self._unstamped[1]
