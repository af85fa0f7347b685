"""Topic depth: the executor's thread puts its messages here, the worker's thread asks for the one of its image.

A depth image belongs to the image of the same stamp; where none has it, the nearest within ``depth.slop`` does. That
one is known as soon as a later depth image has come, so depth with stamps of its own does not make images wait long.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from hand3r_ros.geometry import Array
from hand3r_ros.imaging.limits import ImageDecodingError
from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.calibration import CalibrationError, calibration_from_camera_info
from hand3r_ros.node.depth_alignment import DepthRefusedError, PublishedDepth, aligned_depth
from hand3r_ros.node.depth_decoding import decode_depth
from hand3r_ros.node.image_correction import ImageCorrection
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.names import frame_name
from hand3r_ros.node.stamps import NANOSECONDS, StampError, checked_nanoseconds
from hand3r_ros.online.results import DepthImage

SILENT_AFTER = 1.0
"""Seconds without a depth image after which no image waits for one any longer."""
MISSES_TO_TELL = 5
"""Images in a row without depth, where there was some or somebody publishes it, after which it is told why."""


class DepthBuffer:
    """The newest depth messages by stamp; those without (0) count for the time at which they arrived."""

    def __init__(self, capacity: int = 8) -> None:
        self._capacity = capacity
        self._arrived = threading.Condition()
        self._by_stamp: OrderedDict[int, Any] = OrderedDict()
        self._last_arrival = -float('inf')

    def add(self, stamp_ns: int, message: Any) -> None:
        """Remember the message of this stamp; the oldest is forgotten."""
        with self._arrived:
            self._by_stamp[stamp_ns] = message
            while len(self._by_stamp) > self._capacity:
                self._by_stamp.popitem(last=False)
            self._last_arrival = time.monotonic()
            self._arrived.notify_all()

    def wait_for(self, stamp_ns: int, slop_ns: int, timeout: float) -> Any:
        """The message for the image of this stamp, waiting up to ``timeout`` seconds for it; None when none came."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while stamp_ns not in self._by_stamp and not any(known > stamp_ns for known in self._by_stamp):
                remaining = deadline - time.monotonic()
                if remaining <= 0.0:
                    break
                self._arrived.wait(remaining)
            nearest = self._nearest(stamp_ns)
            return None if nearest is None or abs(nearest - stamp_ns) > slop_ns else self._by_stamp[nearest]

    @property
    def silence(self) -> float:
        """Seconds since the last message; infinite when there was none."""
        with self._arrived:
            return time.monotonic() - self._last_arrival

    def difference(self, stamp_ns: int) -> float | None:
        """Seconds from an image to the depth nearest to it, negative for earlier depth; None when there is none."""
        with self._arrived:
            nearest = self._nearest(stamp_ns)
            return None if nearest is None else (nearest - stamp_ns) / NANOSECONDS

    def clear(self) -> None:
        """Forget all messages (a new session begins)."""
        with self._arrived:
            self._by_stamp.clear()

    def _nearest(self, stamp_ns: int) -> int | None:
        return min(self._by_stamp, key=lambda known: abs(known - stamp_ns), default=None)


class DepthInput:
    """What came on the topics of the depth camera, and which of it belongs to an image."""

    def __init__(
        self, topic: str, info_topic: str, accounting: Accounting, listen_to_tf: Callable[[], None], max_pixels: int
    ) -> None:
        """``listen_to_tf`` is called, by the executor's thread, when depth comes that has to be registered by TF."""
        self.topic, self.info_topic = topic, info_topic
        self.buffer = DepthBuffer()
        self._accounting = accounting
        self._listen_to_tf = listen_to_tf
        self._max_pixels = max_pixels
        self._calibration: Calibration | None = None
        self._image_frame = ''
        self._misses = 0

    def on_depth(self, message: Any, arrival_ns: int) -> None:
        """A message of topic depth."""
        try:
            stamp_ns = checked_nanoseconds(message.header.stamp)
        except StampError as error:
            self._accounting.reject(self.topic, error.cause, str(error))
            return
        if self._image_frame and frame_name(message.header.frame_id) not in ('', self._image_frame):
            self._listen_to_tf()
        self.buffer.add(stamp_ns or arrival_ns, message)

    def on_camera_info(self, message: Any) -> None:
        """A message of topic depth/camera_info."""
        try:
            self._calibration = calibration_from_camera_info(message)
        except CalibrationError as error:
            self._accounting.reject(self.info_topic, error.cause, str(error))

    def of_image(
        self,
        stamp_ns: int,
        image_frame: str,
        correction: ImageCorrection,
        lookup: Callable[[str, str], Array],
        wait: float,
        slop: float,
        is_published: bool,
    ) -> DepthImage | None:
        """The depth of an image in its view, None when none belongs to it or it cannot be used; it is told why.

        Args:
            stamp_ns: by which the image is served.
            image_frame: its optical frame, as it came.
            correction: of the image.
            lookup: ``T_target_source`` (4, 4) of two frames; raises LookupError.
            wait: seconds, at most.
            slop: seconds between both stamps, at most.
            is_published: whether anybody publishes depth.

        """
        self._image_frame = frame_name(image_frame)
        timeout = wait if is_published and self.buffer.silence < SILENT_AFTER else 0.0
        message = self.buffer.wait_for(stamp_ns, round(slop * NANOSECONDS), timeout)
        if message is None:
            self._miss(stamp_ns, slop, is_published)
            return None
        self._misses = 0
        try:
            metres = decode_depth(message, self._max_pixels)
            depth = PublishedDepth(metres, message.header.frame_id, self._calibration)
            return aligned_depth(depth, image_frame, correction, lookup)
        except ImageDecodingError as error:
            self._accounting.reject(self.topic, error.cause, str(error))
        except DepthRefusedError as error:
            self._accounting.reject(self.topic, 'unregistered depth', str(error))
        return None

    def _miss(self, stamp_ns: int, slop: float, is_published: bool) -> None:
        silence = self.buffer.silence
        if not is_published and silence == float('inf'):
            return  # there is no depth camera
        self._misses += 1
        if self._misses < MISSES_TO_TELL:
            return
        difference = self.buffer.difference(stamp_ns)
        if silence > SILENT_AFTER or difference is None:
            why = 'none has come yet' if silence == float('inf') else f'none has come for {silence:.1f} s'
        else:
            side = 'later' if difference > 0.0 else 'earlier'
            why = f'the nearest is {1e3 * abs(difference):.1f} ms {side}, depth.slop allows {1e3 * slop:g} ms'
        self._accounting.warn(self.topic, 'no depth for the images', f'images have no measured depth: {why}')
