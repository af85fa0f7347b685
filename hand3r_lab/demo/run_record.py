"""What was seen of a run, matched by image stamp: results, ground truth and arrival times. No ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import invert_transform, transform_points
from hand3r_ros.hand_model.sides import HandSide

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class SeenHand:
    """A hand as a message brought it."""

    side: HandSide
    track_id: int
    score: float
    box: Array  # (4,) px
    vertices: Array  # (V, 3) m, V is 778 or 0
    keypoints: Array  # (21, 3) m
    keypoints_image: Array  # (21, 2) px
    in_world: bool  # 3D values are in the world, else in the camera's optical frame


@dataclass
class FrameRecord:
    """Everything about one image; None: nothing came."""

    arrival_seconds: float | None = None  # from the image's stamp to the arrival of its hands
    session_id: int = 0
    hands: tuple[SeenHand, ...] | None = None
    T_world_camera: Array | None = None  # (4, 4) estimated
    true_hands: tuple[SeenHand, ...] | None = None  # in the camera frame; the score is the visible fraction
    T_scene_camera: Array | None = None  # (4, 4) in the scene's own world
    depth_errors: tuple[float, float, int] | None = None  # AbsRel, delta1, number of points

    def keypoints_camera(self, hand: SeenHand) -> Array | None:
        """(21, 3) of a hand of this frame in its camera's optical frame; None while the camera's place is unknown."""
        return self.points_camera(hand, hand.keypoints)

    def points_camera(self, hand: SeenHand, points: Array) -> Array | None:
        """Points (N, 3) of a hand of this frame in the camera's optical frame."""
        if not hand.in_world:
            return points
        if self.T_world_camera is None:
            return None
        return transform_points(invert_transform(self.T_world_camera), points)

    def keypoints_world(self, hand: SeenHand) -> Array | None:
        """(21, 3) of a hand of this frame in the world."""
        if hand.in_world:
            return hand.keypoints
        return None if self.T_world_camera is None else transform_points(self.T_world_camera, hand.keypoints)


@dataclass(frozen=True)
class StageTimes:
    """Seconds the node reported for one image."""

    decode: float
    detect: float
    inference: float
    publish: float


@dataclass
class NodeReport:
    """The newest status and the times of every image."""

    received: int = 0
    processed: int = 0
    dropped: int = 0
    rejected: int = 0
    last_error: str = ''
    times: dict[int, StageTimes] = field(default_factory=dict)  # by stamp


class RunRecord:
    """Frames by stamp (nanoseconds)."""

    def __init__(self) -> None:
        self.frames: dict[int, FrameRecord] = {}
        self.node = NodeReport()
        self.images = 0

    def at(self, stamp_ns: int) -> FrameRecord:
        """The record of an image; a new one when there is none."""
        return self.frames.setdefault(stamp_ns, FrameRecord())

    def in_order(self) -> list[tuple[int, FrameRecord]]:
        """Stamps and records, oldest first."""
        return sorted(self.frames.items())

    @property
    def results(self) -> int:
        """Number of images whose hands arrived."""
        return sum(record.hands is not None for record in self.frames.values())

    def latencies(self) -> Array:
        """(N,) seconds from image stamp to arrival of ~/hands."""
        return np.array([r.arrival_seconds for _, r in self.in_order() if r.arrival_seconds is not None], float)

    def longest_session(self) -> list[FrameRecord]:
        """Records with a camera pose of the session that lasted longest; others live in another world."""
        sessions: dict[int, list[FrameRecord]] = {}
        for _, record in self.in_order():
            if record.T_world_camera is not None:
                sessions.setdefault(record.session_id, []).append(record)
        return max(sessions.values(), key=len, default=[])
