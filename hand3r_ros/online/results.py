"""Inputs and results of the online reconstruction: frozen containers of numpy arrays.

Frames: ``camera`` has optical axes (x right, y down, z forward); ``world`` is the first camera's *body* frame
(x forward, y left, z up) times the configured initial pose. Lengths are metres, pixels are OpenCV pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.keypoint_objective import HandFit
from hand3r_ros.hand_model.sides import HandSide

FloatArray = NDArray[np.floating]
DepthImage = NDArray[np.floating]
"""(H, W) metres along z."""

LARGEST_TRACK_ID = 2**31 - 1
"""Messages hold ids of hands in 32 bits."""


@dataclass(frozen=True, eq=False)
class HandLandmarks:
    """What a landmark network sees of one hand, in an image that is not mirrored."""

    pixels: FloatArray  # (21, 2) px of the source image, OpenPose order
    points_metric: FloatArray  # (21, 3) m from any origin, axes of the line of sight; their scale is a guess
    presence: float  # 0..1, probability that there is a hand
    right: float  # 0..1, probability that it is a right hand


@dataclass(frozen=True)
class HandDetection:
    """One hand found in the source image."""

    box: FloatArray  # (4,) x1, y1, x2, y2 px of the source image, tight around the hand
    side: HandSide
    score: float  # 0..1
    track_id: int = -1  # identity given by the detector, -1 when it has none
    side_seen: bool = True  # False: nobody looked, the side is carried over from the frame before
    landmarks: HandLandmarks | None = None  # where the detector has them


@dataclass(frozen=True)
class CameraFrame:
    """One image as it came from the camera, with what else is known about it."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    stamp_ns: int  # acquisition time
    intrinsics: Intrinsics | None = None  # of the source image; None when uncalibrated
    detections: tuple[HandDetection, ...] | None = None  # given from outside (matched by stamp); None: not given
    T_world_camera: FloatArray | None = None  # (4, 4) known pose, for pose_source 'tf'
    depth: DepthImage | None = None
    """(H', W') measured metres along z in the view of the image; 0 or not finite where nothing was measured."""


class TrackingState(IntEnum):
    """How far a result can be trusted, with the values of ``hand3r_msgs/Hand3RStatus``."""

    UNKNOWN = 0
    OK = 1
    LOST = 2
    UNCALIBRATED = 3


class ScaleSource(Enum):
    """What the metres of a result rest on."""

    DEPTH = 'depth'  # readings of a depth camera in this frame
    EARLIER_DEPTH = 'earlier_depth'  # those of frames before, in whose scale the prediction is taken
    NETWORK = 'network'  # the prediction alone


class PlacementSource(Enum):
    """What a hand's distance from the camera rests on."""

    NETWORK = 'network'  # the trained translation head
    LANDMARKS = 'landmarks'  # the size of the fitted hand in the image
    SCENE = 'scene'  # the predicted scene points on the hand's visible surface
    MEASURED = 'measured'  # readings of a depth camera there
    CROP_CAMERA = 'crop_camera'  # how large the hand looks; wrong in proportion to the predicted size of the hand


@dataclass(frozen=True)
class HandPlacement:
    """Where a hand's position comes from and how far it can be trusted."""

    source: PlacementSource
    deviation: float | None = None  # m along the line of sight, if the scene's scale is right; None: unknown
    reason: str = ''  # why the scene was not used, where it should have been


class ArticulationSource(IntEnum):
    """Where the pose of a hand's joints comes from, with the values of ``hand3r_msgs/HandMesh``."""

    NETWORK = 0  # the MANO head
    LANDMARKS = 1  # fitted to landmarks of this image
    PREDICTED = 2  # nothing of the hand is seen in this image: as it was, moved on


@dataclass(frozen=True)
class HandResult:
    """One reconstructed hand of one frame. Parameters are those of the hand's own side (not mirrored)."""

    side: HandSide
    track_id: int
    score: float
    box: FloatArray  # (4,) x1, y1, x2, y2 px of the source image
    vertices_camera: FloatArray  # (778, 3) m
    keypoints_camera: FloatArray  # (21, 3) m, OpenPose order
    vertices_world: FloatArray  # (778, 3) m
    keypoints_world: FloatArray  # (21, 3) m
    keypoints_image: FloatArray  # (21, 2) px of the source image
    T_camera_wrist: FloatArray  # (4, 4) wrist joint position and global orientation
    T_world_wrist: FloatArray  # (4, 4)
    global_orient: FloatArray  # (3,) axis-angle, camera frame
    hand_pose: FloatArray  # (45,) axis-angle, MANO joint order, flat-hand mean
    betas: FloatArray  # (10,)
    translation: FloatArray  # (3,) m, MANO transl: wrist position minus the rest-pose root joint
    placement: HandPlacement | None = None  # None: not said by whoever made this result
    articulation: ArticulationSource = ArticulationSource.NETWORK
    keypoint_confidence: FloatArray | None = None
    """(21,) 0..1, how well each keypoint agrees with what is seen of it; None: nothing is known of single keypoints."""
    fit: HandFit | None = None  # where the hand was fitted to landmarks; the next image begins from it
    velocity_world: FloatArray | None = None  # (3,) m/s of the wrist; None: seen in one image only
    unseen_seconds: float = 0.0  # since the hand was last seen; more than 0: it is predicted

    @property
    def is_seen(self) -> bool:
        """False for a hand that is predicted without evidence in this image."""
        return self.unseen_seconds <= 0.0

    def check(self) -> None:
        """Raises ValueError for values that no result has, where they come from elsewhere.

        Pixels are not among them: keypoints behind the camera have none.
        """
        if not 1 <= self.track_id <= LARGEST_TRACK_ID:
            raise ValueError(f'a hand has the id {self.track_id}, expected 1 to {LARGEST_TRACK_ID}')
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f'a hand has the score {self.score:g}, expected 0 to 1')
        for name in (part.name for part in fields(self) if part.name != 'keypoints_image'):
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and not np.isfinite(value).all():
                raise ValueError(f'{name} of a hand is not finite')
        if not 0.0 <= self.unseen_seconds < np.inf:
            raise ValueError(f'a hand was last seen {self.unseen_seconds:g} s ago')
        if self.fit is not None:
            self.fit.check()


@dataclass(frozen=True)
class StageSeconds:
    """Where the time of one frame went."""

    prepare: float = 0.0
    detect: float = 0.0
    network: float = 0.0
    pose: float = 0.0
    hands: float = 0.0
    mapping: float = 0.0


@dataclass(frozen=True)
class FrameResult:
    """Everything known after one frame."""

    stamp_ns: int
    frame_index: int  # since the last reset, from 0
    session_id: int  # grows with every reset; results of different sessions do not share a world frame
    state: TrackingState
    T_world_camera: FloatArray  # (4, 4)
    hands: tuple[HandResult, ...]
    points_camera: FloatArray  # (h, w, 3) m, at the network's working resolution
    confidence: FloatArray  # (h, w)
    colors: NDArray[np.uint8]  # (h, w, 3) RGB
    hand_mask: NDArray[np.bool_]  # (h, w) True where a hand covers the pixel
    intrinsics: Intrinsics  # of the working resolution (given, or estimated from the points)
    scale_source: ScaleSource = ScaleSource.NETWORK
    measured: NDArray[np.bool_] | None = None  # (h, w) True where the depth is a reading; None: nothing was measured
    depth_refused: str = ''  # why the frame's depth was not used; empty where it was, or there was none
    seconds: StageSeconds = field(default_factory=StageSeconds)

    @property
    def seen_hands(self) -> tuple[HandResult, ...]:
        """Without those that are predicted."""
        return tuple(hand for hand in self.hands if hand.is_seen)
