"""Configuration of the online reconstruction: frozen, checked at construction, one error per field."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from hand3r_ros.network.scene.config import STATE_UPDATES

POSE_SOURCES = ('auto', 'network', 'geometric', 'tf')
DEPTH_USES = ('auto', 'off', 'required')
TRANSLATIONS = ('auto', 'network', 'aligned')
HAND_MODELS = ('open_hand', 'mano')
PRECISIONS = ('float32', 'float16', 'bfloat16')
IDENTITY_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class DetectionConfig:
    """How hands are found in the image."""

    detector: str = 'given'
    """Name in ``detection/registry.py``: 'given' takes ``CameraFrame.detections``, 'mediapipe' looks at the image."""
    threshold: float = 0.5
    """Least score of a detection."""
    interval: int = 1
    """Run the detector on every n-th frame; between, boxes follow from the previous frame's joints as long as every
    hand seen before is still there. 1 runs it on every frame."""
    overlap: float = 0.5
    """Two boxes of the same side that overlap more than this (intersection over union) are one hand."""
    smallest_box: float = 12.0
    """Pixels of the source image; boxes whose visible part is smaller on either side are left out."""

    def __post_init__(self) -> None:
        _require(bool(self.detector), 'detection.detector', 'the name of a detector', self.detector)
        _require_range('detection.threshold', self.threshold, 0.0, 1.0)
        _require_range('detection.interval', self.interval, 1, 1000)
        _require_range('detection.overlap', self.overlap, 0.0, 1.0)
        _require_range('detection.smallest_box', self.smallest_box, 1.0, 10000.0)


@dataclass(frozen=True)
class TrackingConfig:
    """How detections of successive frames become one hand with one id."""

    timeout: float = 1.0
    """Seconds after which a hand that was not seen is forgotten."""
    max_speed: float = 4.0
    """Metres per second; a faster jump of the wrist in the world starts a new track. Hands reach about 3 m/s."""
    position_tolerance: float = 0.15
    """Metres added to what ``max_speed`` allows: the error of a metric hand position, mostly along the view."""
    max_box_distance: float = 2.5
    """Box diagonals; used as the limit in the image, where depth plays no part."""
    max_prediction: float = 0.2
    """Seconds for which a tracked hand that is not found is predicted, and marked as that; 0: never."""
    side_memory: float = 6.0
    """Labels (each counts as much as its score) that are remembered at most in favour of a hand's side."""
    side_change: float = 2.0
    """A tracked hand is taken for the other side when the labels for that outweigh those against it by this much: after
    about two labels for a hand that has just appeared, ``side_memory`` more for one seen for long."""

    def __post_init__(self) -> None:
        _require_range('tracking.timeout', self.timeout, 0.0, 60.0)
        _require_range('tracking.max_speed', self.max_speed, 0.01, 100.0)
        _require_range('tracking.position_tolerance', self.position_tolerance, 0.0, 10.0)
        _require_range('tracking.max_box_distance', self.max_box_distance, 0.1, 100.0)
        _require_range('tracking.max_prediction', self.max_prediction, 0.0, 60.0)
        _require_range('tracking.side_memory', self.side_memory, 0.0, 1000.0)
        _require_range('tracking.side_change', self.side_change, 0.0, 1000.0)


@dataclass(frozen=True)
class PlacementConfig:
    """How hands become metric."""

    translation: str = 'auto'
    """'network': the trained translation head. 'aligned': crop camera for direction and apparent size, scene points
    for depth; works without fusion weights. 'auto': the network's where it has the head, else, and where depth was
    measured, 'aligned'."""
    min_scene_points: int = 30
    """'aligned' keeps the depth that the apparent size gives when fewer scene points lie on the hand."""
    max_depth_correction: float = 1.33
    """'aligned' looks for depths that differ from that of the apparent size by at most this factor. Hands differ in
    size by less; a scene that differs by more shows what hides the hand."""
    min_agreement: float = 0.15
    """'aligned' keeps the depth of the apparent size when a smaller share of the scene points on the hand agrees."""

    def __post_init__(self) -> None:
        _require_choice('placement.translation', self.translation, TRANSLATIONS)
        _require_range('placement.min_scene_points', self.min_scene_points, 1, 1_000_000)
        _require_range('placement.max_depth_correction', self.max_depth_correction, 1.01, 100.0)
        _require_range('placement.min_agreement', self.min_agreement, 0.0, 1.0)


@dataclass(frozen=True)
class GeometricPoseConfig:
    """Camera pose from feature tracks and the predicted pointmap."""

    max_features: int = 400
    min_inliers: int = 12
    """Fewer consistent tracks than this and the pose counts as lost."""
    keyframe_fraction: float = 0.6
    """A new keyframe is taken when fewer than this fraction of its features is still tracked."""
    reprojection_error: float = 2.0
    """Pixels at ``tracking_long_side``, for a track to support a pose."""
    tracking_long_side: int = 640
    """The image is reduced to this long side before features are tracked."""

    def __post_init__(self) -> None:
        _require_range('geometric_pose.max_features', self.max_features, 20, 10000)
        _require_range('geometric_pose.min_inliers', self.min_inliers, 6, 1000)
        _require_range('geometric_pose.keyframe_fraction', self.keyframe_fraction, 0.05, 1.0)
        _require_range('geometric_pose.reprojection_error', self.reprojection_error, 0.1, 50.0)
        _require_range('geometric_pose.tracking_long_side', self.tracking_long_side, 64, 4096)


@dataclass(frozen=True)
class MapConfig:
    """The voxel map of the static scene."""

    enabled: bool = True
    voxel_size: float = 0.01
    """Metres."""
    max_points: int = 400_000
    """Voxels kept at most; about 80 bytes each. The least and longest ago seen ones go first."""
    exclude_hands: bool = True
    hand_margin: float = 0.15
    """How far hand boxes are grown, as a fraction of their size, before their pixels are left out."""
    min_confidence: float = 1.5
    """Of the network's points (at least 1, no upper end); CUT3R's viewer hides points below 1.5."""
    max_range: float = 5.0
    """Metres along the optical axis."""
    max_edge: float = 0.08
    """Relative depth step to a neighbouring pixel above which a point is taken for one floating between surfaces."""

    def __post_init__(self) -> None:
        _require_range('map.voxel_size', self.voxel_size, 1e-3, 10.0)
        _require_range('map.max_points', self.max_points, 1, 50_000_000)
        _require_range('map.hand_margin', self.hand_margin, 0.0, 5.0)
        _require_range('map.min_confidence', self.min_confidence, 0.0, 1e6)
        _require_range('map.max_range', self.max_range, 1e-3, 1e6)
        _require_range('map.max_edge', self.max_edge, 1e-3, 1e6)


@dataclass(frozen=True)
class SmoothingConfig:
    """One-euro filter on hand positions and rotations in the world; off by default: it adds lag."""

    enabled: bool = False
    min_cutoff: float = 1.5
    """Hz at rest: lower is smoother and slower."""
    beta: float = 2.0
    """Hz per m/s (or rad/s): how much the cutoff rises with speed."""
    derivative_cutoff: float = 1.0
    """Hz, of the speed estimate itself."""

    def __post_init__(self) -> None:
        _require_range('smoothing.min_cutoff', self.min_cutoff, 1e-3, 1e3)
        _require_range('smoothing.beta', self.beta, 0.0, 1e3)
        _require_range('smoothing.derivative_cutoff', self.derivative_cutoff, 1e-3, 1e3)


@dataclass(frozen=True)
class ReconstructorConfig:
    """Everything ``factory.build_reconstructor`` and ``OnlineReconstructor`` need to know."""

    preset: str = 'tiny'
    weights_dir: Path | None = None
    """Folder of ``<preset>.safetensors``; None: $HAND3R_WEIGHTS, else the weights that come with this package."""
    hand_model: str = 'open_hand'
    mano_path: Path | None = None
    """``MANO_RIGHT.pkl`` (or ``.npz``) or its folder, for hand_model 'mano'; None: beside the weights."""
    device: str = 'auto'
    """'auto', 'cpu', 'cuda' or 'cuda:<n>'."""
    precision: str = 'float32'
    """Arithmetic of the network; the reduced ones need hardware that has them. float16 only on a GPU."""
    state_update: str = 'cut3r'
    """How much of the recurrent state a frame rewrites. 'cut3r': all of it. 'ttt3r': each state token only as far as
    its attention to the image says, so that long streams are forgotten more slowly; works with the same weights."""
    reset_interval: int = 0
    """Frames after which the recurrent state starts anew in the same world; 0: never. The frame at which it does is
    shown to the network twice, the second time as the first one of the new chunk (TTT3R uses 50 or 100)."""
    pose_source: str = 'auto'
    """'network': as the paper. 'geometric': feature tracks on the predicted points. 'tf': given with each frame.
    'auto': what the weights recommend, 'network' where they say nothing."""
    use_depth: str = 'auto'
    """'auto': the depth that was measured, where it came with the frame. 'off': never. 'required': frames without are
    refused."""
    max_hands: int = 2
    fallback_focal: float = 0.0
    """Pixels of the source image, for cameras without calibration; 0 estimates it from the predicted points."""
    initial_camera_pose: tuple[float, ...] = IDENTITY_POSE
    """tx ty tz qx qy qz qw of the first camera's body axes (x forward, y left, z up) in the world."""
    reset_on_time_jump: bool = True
    """Start a new session when stamps go backwards; otherwise such frames are refused."""
    reset_after_gap: float = 5.0
    """Seconds without a frame after which a new session starts; 0: never."""
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    geometric_pose: GeometricPoseConfig = field(default_factory=GeometricPoseConfig)
    map: MapConfig = field(default_factory=MapConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        _require(bool(self.preset), 'preset', 'the name of a preset', self.preset)
        _require_choice('hand_model', self.hand_model, HAND_MODELS)
        _require_choice('precision', self.precision, PRECISIONS)
        _require_choice('state_update', self.state_update, STATE_UPDATES)
        _require_range('reset_interval', self.reset_interval, 0, 100_000)
        _require_choice('pose_source', self.pose_source, POSE_SOURCES)
        _require_choice('use_depth', self.use_depth, DEPTH_USES)
        _require(_is_device(self.device), 'device', "'auto', 'cpu', 'cuda' or 'cuda:<n>'", self.device)
        _require_range('max_hands', self.max_hands, 0, 100)
        _require_range('fallback_focal', self.fallback_focal, 0.0, 1e6)
        _require_range('reset_after_gap', self.reset_after_gap, 0.0, 1e9)
        _require_pose('initial_camera_pose', self.initial_camera_pose)


REBUILD_FIELDS = ('preset', 'weights_dir', 'hand_model', 'mano_path', 'device', 'precision')
"""Fields that only ``factory.build_reconstructor`` can apply."""


def changed_fields(old: ReconstructorConfig, new: ReconstructorConfig) -> tuple[str, ...]:
    """Names of the top-level fields in which two configurations differ."""
    return tuple(f.name for f in fields(old) if getattr(old, f.name) != getattr(new, f.name))


def _require(condition: bool, name: str, expected: str, found: Any) -> None:
    if not condition:
        raise ValueError(f'{name} must be {expected}, got {found!r}')


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    _require(value in choices, name, f'one of {", ".join(choices)}', value)


def _require_range(name: str, value: float, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    _require(is_number and low <= value <= high, name, f'within {low:g} and {high:g}', value)


def _require_pose(name: str, pose: tuple[float, ...]) -> None:
    values = np.asarray(pose, dtype=float)
    usable = values.shape == (7,) and bool(np.isfinite(values).all()) and bool(np.linalg.norm(values[3:]) > 1e-6)
    _require(usable, name, 'tx ty tz qx qy qz qw with a quaternion that is not zero', pose)


def _is_device(text: str) -> bool:
    if text in ('auto', 'cpu', 'cuda'):
        return True
    kind, _, index = text.partition(':')
    return kind == 'cuda' and index.isdecimal()
