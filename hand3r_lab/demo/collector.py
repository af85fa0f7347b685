"""Turns the messages of a run into its record, and keeps what its picture needs. No publishers, no timers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.demo.run_record import RunRecord, SeenHand, StageTimes
from hand3r_lab.evaluation import metrics
from hand3r_ros.geometry import Intrinsics, project_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node import messages, messages_hands, messages_scene
from hand3r_ros.node.calibration import CalibrationError, intrinsics_from_camera_info
from hand3r_ros.node.image_decoding import decode_message
from hand3r_ros.node.newest import Newest
from hand3r_ros.node.stamps import stamp_nanoseconds


class Collector:
    """One method per topic; ``now_ns`` is the time of arrival."""

    def __init__(self) -> None:
        self.run = RunRecord()
        self.intrinsics: Intrinsics | None = None
        self.faces: dict[HandSide, NDArray[np.integer]] = {}
        self.map_points: NDArray[np.floating] = np.zeros((0, 3), np.float32)
        self.map_colors: NDArray[np.uint8] = np.zeros((0, 3), np.uint8)
        self.best_moment: tuple[int, NDArray[np.uint8]] | None = None  # stamp and image for the picture
        self._best_value = -1.0
        self._camera_frame = ''
        self._images: Newest[Any] = Newest()
        self._points: Newest[NDArray[np.floating]] = Newest()
        self._true_depth: Newest[NDArray[np.float32]] = Newest()

    @property
    def last_image_ns(self) -> int | None:
        """Stamp of the newest image."""
        return max(self.run.frames, default=None)

    def on_image(self, message: Any) -> None:
        """An image, raw or compressed, in any encoding the node takes."""
        stamp = stamp_nanoseconds(message.header.stamp)
        self._camera_frame = message.header.frame_id
        self.run.at(stamp)
        self.run.images += 1
        self._images.add(stamp, message)

    def on_camera_info(self, message: Any) -> None:
        """The calibration of the images."""
        with suppress(CalibrationError):  # the node says what is wrong with it
            self.intrinsics = intrinsics_from_camera_info(message, rectified=False)

    def on_hands(self, message: Any, now_ns: int) -> None:
        """Reconstructed hands of one image."""
        stamp = stamp_nanoseconds(message.header.stamp)
        record = self.run.at(stamp)
        record.arrival_seconds = (now_ns - stamp) * 1e-9
        record.hands = tuple(
            seen_hand(hand, in_world=message.header.frame_id != self._camera_frame)
            for hand in message.hands
            if hand.articulation_source != hand.ARTICULATION_PREDICTED
        )
        self._consider_for_picture(stamp, record.hands)

    def on_camera_pose(self, message: Any) -> None:
        """The estimated camera pose."""
        pose = messages.matrix_from_pose(message.pose)
        self.run.at(stamp_nanoseconds(message.header.stamp)).T_world_camera = pose

    def on_points(self, message: Any) -> None:
        """The cloud of one image, in the camera's optical frame."""
        points, _ = messages_scene.cloud_arrays(message)
        stamp = stamp_nanoseconds(message.header.stamp)
        self._points.add(stamp, points.reshape(-1, 3))
        self._compare_depth(stamp)

    def on_map(self, message: Any) -> None:
        """The map so far."""
        points, colors = messages_scene.cloud_arrays(message)
        self.map_points, self.map_colors = points.reshape(-1, 3), colors.reshape(-1, 3)

    def on_topology(self, message: Any) -> None:
        """The triangles of the hands."""
        for side, faces in ((HandSide.LEFT, message.faces_left), (HandSide.RIGHT, message.faces_right)):
            self.faces[side] = np.asarray(faces, np.int64).reshape(-1, 3)

    def on_status(self, message: Any) -> None:
        """Counters of the node and times of one image."""
        node = self.run.node
        node.received, node.processed = int(message.frames_received), int(message.frames_processed)
        node.dropped, node.rejected = int(message.frames_dropped), int(message.frames_rejected)
        node.last_error = message.last_error
        stamp = stamp_nanoseconds(message.header.stamp)
        if stamp in self.run.frames:
            self.run.frames[stamp].session_id = int(message.session_id)
            node.times[stamp] = StageTimes(
                message.decode_seconds, message.detect_seconds, message.inference_seconds, message.publish_seconds
            )

    def on_true_hands(self, message: Any) -> None:
        """True hands, in the camera frame."""
        record = self.run.at(stamp_nanoseconds(message.header.stamp))
        record.true_hands = tuple(seen_hand(hand, in_world=False) for hand in message.hands)

    def on_true_pose(self, message: Any) -> None:
        """The true camera pose."""
        pose = messages.matrix_from_pose(message.pose)
        self.run.at(stamp_nanoseconds(message.header.stamp)).T_scene_camera = pose

    def on_true_depth(self, message: Any) -> None:
        """The true depth of every pixel, 32FC1."""
        stamp = stamp_nanoseconds(message.header.stamp)
        depth = np.frombuffer(message.data, '<f4').reshape(message.height, message.width)
        self._true_depth.add(stamp, np.nan_to_num(depth, nan=0.0))
        self._compare_depth(stamp)

    def _compare_depth(self, stamp: int) -> None:
        points, depth = self._points.get(stamp), self._true_depth.get(stamp)
        if points is None or depth is None or self.intrinsics is None or not len(points):
            return
        pixels = np.rint(project_points(points, self.intrinsics))
        height, width = depth.shape
        inside = (pixels >= 0).all(-1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
        columns, rows = pixels[inside].astype(int).T
        truth = depth[rows, columns]
        if (truth > 0.0).any():
            relative, within = metrics.depth_errors(points[inside, 2], truth)
            self.run.at(stamp).depth_errors = (relative, within, int((truth > 0.0).sum()))

    def _consider_for_picture(self, stamp: int, hands: tuple[SeenHand, ...]) -> None:
        """Keep the image in which the hands are seen best; of equals the later, when the map is fuller."""
        message = self._images.get(stamp)
        if message is None:
            return
        # The size of a compressed image is known when it is decoded.
        image = None if hasattr(message, 'width') else decode_message(message)
        height, width = (message.height, message.width) if image is None else image.shape[:2]
        value = sum(_prominence(hand, width, height) for hand in hands)
        if value >= self._best_value:
            self._best_value = value
            self.best_moment = (stamp, decode_message(message) if image is None else image)


def seen_hand(message: Any, in_world: bool) -> SeenHand:
    """A hand3r_msgs/HandMesh as arrays."""
    return SeenHand(
        side=HandSide(message.side),
        track_id=int(message.track_id),
        score=float(message.score),
        box=np.array(message.bbox, np.float64),
        vertices=messages_hands.points_of(message.vertices),
        keypoints=messages_hands.points_of(message.keypoints).astype(np.float64),
        keypoints_image=messages_hands.points_of(message.keypoints_2d, 2).astype(np.float64),
        in_world=in_world,
    )


def _prominence(hand: SeenHand, width: int, height: int) -> float:
    """0..1: score, and how large and how completely a hand is seen."""
    x1, y1, x2, y2 = hand.box
    size = np.sqrt(max(x2 - x1, 0.0) * max(y2 - y1, 0.0) / (width * height))
    whole = min(x1, y1, width - 1 - x2, height - 1 - y2) > 2.0
    return float(hand.score * min(size / 0.3, 1.0) * (1.0 if whole else 0.6))
