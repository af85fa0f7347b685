"""Configuration of the online reconstruction: frozen, checked at construction, one error per field.

Defaults, ranges and descriptions stand here alone. Parameters of the node refer to them (``node/parameters.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hand3r_ros.network.scene.config import STATE_UPDATES
from hand3r_ros.settings import check_settings, setting

IDENTITY_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def _is_device(value: Any) -> bool:
    if value in ('auto', 'cpu', 'cuda'):
        return True
    kind, _, index = str(value).partition(':')
    return kind == 'cuda' and index.isdecimal()


def _is_pose(value: Any) -> bool:
    try:
        numbers = [float(number) for number in value]
    except (TypeError, ValueError):
        return False
    return len(numbers) == 7 and all(map(math.isfinite, numbers)) and math.hypot(*numbers[3:]) > 1e-6


@dataclass(frozen=True)
class DetectionConfig:
    """How hands are found in the image."""

    detector: str = setting(
        'auto',
        "How hands are detected: boxes on topic detections (topic), MediaPipe's networks with the hand model fitted "
        "to their landmarks (mediapipe), the network's own detection head (network), not at all (none). auto: the "
        "topic for images it has boxes for, else MediaPipe's networks and what only the detection head finds with "
        'certainty',
        choices=('auto', 'topic', 'network', 'mediapipe', 'none'),  # without ROS the topic is CameraFrame.detections
    )
    min_score: float = setting(0.5, 'Discard hands with a lower detection score', minimum=0.0, maximum=1.0)
    # Between, boxes follow from the previous frame's joints as long as every hand seen before is still there.
    interval: int = setting(
        1,
        'Run the detector on every n-th image; in between, boxes are propagated from the previous hands',
        minimum=1,
        maximum=1000,
    )
    overlap: float = setting(
        0.5,
        'Two boxes of the same side that overlap more than this (intersection over union) are one hand',
        minimum=0.0,
        maximum=1.0,
    )
    smallest_box: float = setting(
        12.0,
        'Leave out boxes whose visible part is smaller on either side, px of the source image',
        minimum=1.0,
        maximum=10000.0,
    )

    def __post_init__(self) -> None:
        check_settings(self, 'detection')


@dataclass(frozen=True)
class TrackingConfig:
    """How detections of successive frames become one hand with one id."""

    timeout: float = setting(1.0, 'Forget a hand that was not seen for so long, s', minimum=0.0, maximum=60.0)
    max_speed: float = setting(
        4.0,
        'A faster jump of the wrist in the world starts a new track, m/s; hands reach about 3 m/s',
        minimum=0.01,
        maximum=100.0,
    )
    position_tolerance: float = setting(
        0.15,
        'Added to what max_speed allows, m: the error of a metric hand position, mostly along the view',
        minimum=0.0,
        maximum=10.0,
    )
    max_box_distance: float = setting(
        2.5,
        'Farthest jump of a box in the image, in diagonals of it: where depth plays no part',
        minimum=0.1,
        maximum=100.0,
    )
    max_prediction: float = setting(
        0.2,
        'Seconds for which a hand that is missed is predicted, with a falling score and articulation_source '
        'ARTICULATION_PREDICTED; 0: never',
        minimum=0.0,
        maximum=5.0,
    )
    side_memory: float = setting(
        6.0,
        "Labels, each as much as its score, that are remembered at most in favour of a hand's side",
        minimum=0.0,
        maximum=1000.0,
    )
    # That is after about two labels for a hand that has just appeared, ``side_memory`` more for one seen for long.
    side_change: float = setting(
        2.0,
        'A tracked hand changes its side when the labels for the other one outweigh those against it by this much',
        minimum=0.0,
        maximum=1000.0,
    )

    def __post_init__(self) -> None:
        check_settings(self, 'tracking')


@dataclass(frozen=True)
class PlacementConfig:
    """Metric placement of hands."""

    # 'aligned': crop camera for direction and apparent size, scene points for depth; works without fusion weights.
    # 'auto' takes 'aligned' where depth was measured, too.
    translation: str = setting(
        'auto',
        'Position of a hand: from the trained head (network), from its size and the scene points on it (aligned), or '
        'from the head where the weights have one (auto)',
        choices=('auto', 'network', 'aligned'),
    )
    min_scene_points: int = setting(
        30,
        "'aligned' keeps the depth that the apparent size gives when fewer scene points lie on the hand",
        minimum=1,
        maximum=1_000_000,
    )
    # Hands differ in size by less; a scene that differs by more shows what hides the hand.
    max_depth_correction: float = setting(
        1.33,
        "'aligned' looks for depths that differ from that of the apparent size by at most this factor",
        minimum=1.01,
        maximum=100.0,
    )
    min_agreement: float = setting(
        0.15,
        "'aligned' keeps the depth of the apparent size when a smaller share of the scene points on the hand agrees",
        minimum=0.0,
        maximum=1.0,
    )

    def __post_init__(self) -> None:
        check_settings(self, 'placement')


@dataclass(frozen=True)
class GeometricPoseConfig:
    """Camera pose from feature tracks and the predicted pointmap."""

    max_features: int = setting(400, 'Features tracked at most', minimum=20, maximum=10000)
    min_inliers: int = setting(
        12, 'The pose counts as lost with fewer consistent tracks than this', minimum=6, maximum=1000
    )
    keyframe_fraction: float = setting(
        0.6,
        'A new keyframe is taken when fewer than this fraction of its features is still tracked',
        minimum=0.05,
        maximum=1.0,
    )
    reprojection_error: float = setting(
        2.0,
        'Error at which a track still supports a pose, px of an image of tracking_long_side',
        minimum=0.1,
        maximum=50.0,
    )
    tracking_long_side: int = setting(
        640, 'The image is reduced to this long side before features are tracked, px', minimum=64, maximum=4096
    )

    def __post_init__(self) -> None:
        check_settings(self, 'geometric_pose')


@dataclass(frozen=True)
class MapConfig:
    """The voxel map of the static scene."""

    enabled: bool = setting(True, 'Build the map; false saves time')
    voxel_size: float = setting(0.01, 'Edge length of a voxel, m', minimum=0.001, maximum=1.0)
    max_points: int = setting(  # about 80 bytes each
        400_000,
        'Maximum number of voxels; the least observed and oldest are removed first',
        minimum=1,
        maximum=10_000_000,
    )
    exclude_hands: bool = setting(True, 'Leave out of the map points on hands')
    hand_margin: float = setting(
        0.15,
        'Hand boxes are grown by this fraction of their size before their pixels are left out',
        minimum=0.0,
        maximum=5.0,
    )
    # The network's confidence is at least 1 and has no upper end; CUT3R's viewer hides points below 1.5.
    min_confidence: float = setting(
        1.0,
        'Leave out of the map points of lower confidence (1 keeps all; 1.5 suits preset full)',
        minimum=0.0,
        maximum=1000.0,
    )
    max_range: float = setting(  # along the optical axis
        5.0, 'Leave out of the map points farther from the camera, m', minimum=0.01, maximum=1000.0
    )
    max_edge: float = setting(
        0.08,
        'Leave out points that float between surfaces: with a larger relative depth step to a neighbouring pixel',
        minimum=0.001,
        maximum=1e6,
    )

    def __post_init__(self) -> None:
        check_settings(self, 'map')


@dataclass(frozen=True)
class SmoothingConfig:
    """One-Euro filter on hand positions and rotations in the world; off by default: it adds lag."""

    enabled: bool = setting(False, 'Apply a One-Euro filter to the hands')
    min_cutoff: float = setting(1.5, 'Minimum cut-off frequency, Hz; lower smooths more', minimum=0.01, maximum=100.0)
    beta: float = setting(  # Hz per m/s or rad/s
        2.0, 'Speed coefficient of the cut-off frequency; higher lags less', minimum=0.0, maximum=100.0
    )
    derivative_cutoff: float = setting(1.0, 'Cut-off of the speed estimate itself, Hz', minimum=0.001, maximum=1000.0)

    def __post_init__(self) -> None:
        check_settings(self, 'smoothing')


@dataclass(frozen=True)
class ReconstructorConfig:
    """Everything ``factory.build_reconstructor`` and ``OnlineReconstructor`` need to know."""

    preset: str = setting('tiny', 'Size of the network', choices=('tiny', 'full'))
    weights_dir: Path | None = setting(
        None, 'Folder with <preset>.safetensors; empty: $HAND3R_WEIGHTS, else the weights of the package'
    )
    hand_model: str = setting(
        'open_hand', 'Hand model that the weights were trained for', choices=('open_hand', 'mano')
    )
    mano_dir: Path | None = setting(  # or the file itself, .pkl or .npz
        None, 'Folder with MANO_RIGHT.pkl, for hand_model mano; empty: the folder of the weights'
    )
    device: str = setting(
        'auto',
        'Device of the network: auto, cpu, cuda or cuda:<n>',
        form="'auto', 'cpu', 'cuda' or 'cuda:<n>'",
        has_form=_is_device,
    )
    # The reduced ones need hardware that has them; float16 only on a GPU.
    precision: str = setting(
        'float32', 'Floating-point format of the network', choices=('float32', 'float16', 'bfloat16')
    )
    state_update: str = setting(  # works with the same weights
        'cut3r',
        'Update rule of the recurrent state: complete (cut3r), or weighted by attention to the image (ttt3r), which '
        'forgets long streams more slowly',
        choices=STATE_UPDATES,
    )
    # That frame is shown to the network twice, the second time as the first one of the new chunk.
    reset_interval: int = setting(
        0,
        'Re-initialise the recurrent state every n frames, keeping the world frame and the session; 0: never (TTT3R: '
        '50 or 100)',
        minimum=0,
        maximum=100_000,
    )
    pose_source: str = setting(
        'auto',
        'Camera pose: predicted by the network (network), from feature tracks on its points (geometric), from TF '
        'world_frame -> image frame (tf), or as the weights recommend (auto)',
        choices=('auto', 'network', 'geometric', 'tf'),
    )
    use_depth: str = setting(
        'auto',
        'Measured depth from topic depth: used for images that have it (auto), ignored (off), or mandatory, so that '
        'images without it are skipped (required)',
        choices=('auto', 'off', 'required'),
    )
    max_hands: int = setting(2, 'Maximum number of hands per image, best scores first', minimum=0, maximum=16)
    fallback_focal_px: float = setting(  # from the predicted points
        0.0, 'Focal length to use without a calibration, px of the image; 0: estimate it', minimum=0.0, maximum=1e5
    )
    initial_camera_pose: tuple[float, ...] = setting(
        IDENTITY_POSE,
        'Pose of the first camera (x forward, y left, z up) in world_frame: x y z qx qy qz qw; aligns the world with '
        'gravity, which one camera cannot measure',
        length=7,
        form='tx ty tz qx qy qz qw with a quaternion that is not zero',
        has_form=_is_pose,
    )
    reset_on_time_jump: bool = setting(  # otherwise such frames are refused
        True, 'Start a new session when stamps jump back (a bag played in a loop)'
    )
    reset_after_gap: float = setting(
        5.0,
        'Start a new session after a gap of this many seconds between two images; 0: never',
        minimum=0.0,
        maximum=86400.0,
    )
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    geometric_pose: GeometricPoseConfig = field(default_factory=GeometricPoseConfig)
    map: MapConfig = field(default_factory=MapConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        check_settings(self)


REBUILD_FIELDS = ('preset', 'weights_dir', 'hand_model', 'mano_dir', 'device', 'precision')
"""Fields that only ``factory.build_reconstructor`` can apply."""


def changed_fields(old: ReconstructorConfig, new: ReconstructorConfig) -> tuple[str, ...]:
    """Names of the top-level fields in which two configurations differ."""
    return tuple(f.name for f in fields(old) if getattr(old, f.name) != getattr(new, f.name))
