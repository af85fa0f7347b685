"""All parameters of the hand3r node, as one frozen snapshot.

What stands for a setting of the reconstruction takes default, range and description from ``online/config.py``; those of
the node's own parameters are declared here.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from hand3r_ros.imaging.limits import DecodingOptions
from hand3r_ros.node.names import class_key, frame_name
from hand3r_ros.node.parameter_fields import Changes, ParameterError, parameter, parameter_of
from hand3r_ros.online.config import ReconstructorConfig

FIXED = Changes.NEVER
SETUP = Changes.UNCONFIGURED


DETECTORS_WITH_TOPIC = ('auto', 'topic')
"""Values of ``detector`` with which the topic of hand boxes is listened to."""


def _setting(name: str, changes: Changes = Changes.ANY_TIME) -> Any:
    """A parameter that stands for the setting of this name of ``ReconstructorConfig``."""
    return parameter_of(ReconstructorConfig, name, changes)


@dataclass(frozen=True)
class DetectionParameters:
    """Group ``detections``: boxes of hands in the image."""

    min_score: float = _setting('detection.min_score')
    interval: int = _setting('detection.interval')
    wait: float = parameter(
        0.1,
        'Longest wait of an image for its detections (same stamp), s; only with detector topic or auto '
        'and while the topic has a publisher',
        minimum=0.0,
        maximum=5.0,
    )
    left: tuple[str, ...] = parameter(
        ('left', 'left_hand', 'hand_left', 'l'),
        'Values of class_id on topic detections that mean a left hand; case, spaces, - and _ are ignored',
        SETUP,
    )
    right: tuple[str, ...] = parameter(
        ('right', 'right_hand', 'hand_right', 'r'),
        'Values of class_id on topic detections that mean a right hand',
        SETUP,
    )

    def __post_init__(self) -> None:
        """Check what one parameter alone cannot: raises :class:`ParameterError`."""
        both = {class_key(name) for name in self.left} & {class_key(name) for name in self.right}
        if both:
            raise ParameterError(f"detections.right: '{min(both)}' is in detections.left as well")


@dataclass(frozen=True)
class HandParameters:
    """Group ``hands``: what ~/hands carries."""

    frame: str = parameter('world', 'Frame of ~/hands: world_frame or the camera', SETUP, choices=('world', 'camera'))
    vertices: bool = parameter(True, 'Fill HandMesh.vertices; false saves bandwidth, keypoints are always filled')
    max_prediction: float = _setting('tracking.max_prediction')


@dataclass(frozen=True)
class SmoothingParameters:
    """Group ``smoothing``: One-Euro filter of the hands; off by default because filters delay and bias data."""

    enabled: bool = _setting('smoothing.enabled')
    min_cutoff: float = _setting('smoothing.min_cutoff')
    beta: float = _setting('smoothing.beta')


@dataclass(frozen=True)
class PointParameters:
    """Group ``points``: the cloud of the current frame, ~/points."""

    publish: bool = parameter(True, 'Publish ~/points (built only while it has a subscriber)')
    stride: int = parameter(2, 'Use every n-th row and column of the point map', minimum=1, maximum=64)
    min_confidence: float = parameter(
        1.0,
        'Leave out points of lower confidence (1 keeps all; 1.5 suits preset full)',
        minimum=0.0,
        maximum=1000.0,
    )
    max_range: float = parameter(10.0, 'Leave out points farther from the camera, m', minimum=0.01, maximum=1000.0)
    organized: bool = parameter(
        False, 'Organized cloud (rows and columns, NaN for points left out) instead of an unordered list'
    )
    exclude_hands: bool = parameter(False, 'Leave out points on hands')


@dataclass(frozen=True)
class MapParameters:
    """Group ``map``: the voxel map of the scene, ~/map."""

    enabled: bool = _setting('map.enabled', SETUP)
    publish: bool = parameter(True, 'Publish ~/map')
    rate_hz: float = parameter(1.0, 'Maximum rate of ~/map, Hz', minimum=0.01, maximum=30.0)
    voxel_size: float = _setting('map.voxel_size', SETUP)
    max_points: int = _setting('map.max_points', SETUP)
    min_confidence: float = _setting('map.min_confidence')
    max_range: float = _setting('map.max_range')
    exclude_hands: bool = _setting('map.exclude_hands')
    directory: str = parameter(
        '~/.ros/hand3r_maps',
        'Folder below which ~/save_map writes; paths outside of it are refused',
        SETUP,
        is_path=True,
    )


@dataclass(frozen=True)
class DepthParameters:
    """Group ``depth``: the depth that is measured (topic depth), and that of the result (~/depth/image)."""

    slop: float = parameter(
        0.02,
        'Largest difference between the stamps of an image and of its depth, s; equal stamps come first',
        minimum=0.0,
        maximum=1.0,
    )
    wait: float = parameter(
        0.1,
        'Longest wait of an image for its depth, s; only while depth has a publisher',
        minimum=0.0,
        maximum=5.0,
    )
    publish: bool = parameter(False, 'Publish the depth image (32FC1, metres) and its camera_info')


@dataclass(frozen=True)
class MarkerParameters:
    """Group ``markers``: ~/markers for RViz."""

    publish: bool = parameter(True, 'Publish ~/markers (built only while it has a subscriber)')
    rate_hz: float = parameter(
        5.0,
        'Maximum rate of ~/markers, Hz; meshes as markers are expensive',
        minimum=0.01,
        maximum=100.0,
    )


@dataclass(frozen=True)
class TeleopParameters:
    """Group ``teleop``: ~/hands/<side>/wrist_pose."""

    stamp: str = parameter(
        'image',
        'Stamp of wrist_pose: that of the image, or the time of publishing (now), for consumers that drop '
        'poses older than 0.1 s',
        choices=('image', 'now'),
    )


@dataclass(frozen=True)
class NodeParameters:
    """Every parameter of the node at one moment."""

    autostart: bool = parameter(True, 'Configure and activate at start, without a lifecycle manager', FIXED)

    preset: str = _setting('preset', SETUP)
    weights_dir: str = _setting('weights_dir', SETUP)
    hand_model: str = _setting('hand_model', SETUP)
    mano_dir: str = _setting('mano_dir', SETUP)
    translation: str = _setting('placement.translation')
    device: str = _setting('device', SETUP)
    precision: str = _setting('precision', SETUP)
    warmup: bool = parameter(
        True, 'Process one blank image at configure, so that the first real one is not slow', SETUP
    )

    image_transport: str = parameter(
        'raw', 'raw: topic image (Image); compressed: topic image/compressed', SETUP, choices=('raw', 'compressed')
    )
    max_image_pixels: int = parameter_of(DecodingOptions, 'max_image_pixels')
    image_bits: int = parameter_of(DecodingOptions, 'image_bits')
    max_image_age: float = parameter(
        0.0, 'Skip images older than this when processing starts, s; 0 disables', minimum=0.0, maximum=3600.0
    )
    reset_on_time_jump: bool = _setting('reset_on_time_jump')
    reset_after_gap: float = _setting('reset_after_gap')

    use_camera_info: bool = parameter(True, 'Use the calibration from topic camera_info', SETUP)
    rectified: bool = parameter(
        False,
        'Images are already rectified: use P of CameraInfo instead of K; otherwise images are undistorted',
        SETUP,
    )
    mirrored_image: bool = parameter(
        False,
        'Images are mirrored left to right (selfie view): image and calibration are flipped back first, '
        'so that hand sides and the world are the real ones; boxes, keypoints_2d and detections refer to '
        'the mirrored image',
        SETUP,
    )
    fallback_focal_px: float = _setting('fallback_focal_px', SETUP)
    calibration_wait: float = parameter(
        0.5,
        'Longest wait of the first image for its calibration, s; only while camera_info has a publisher',
        minimum=0.0,
        maximum=10.0,
    )

    detector: str = _setting('detection.detector', SETUP)
    use_depth: str = _setting('use_depth', SETUP)
    depth_transport: str = parameter(
        'raw',
        'raw: topic depth (Image); compressedDepth: topic depth/compressedDepth, PNG only',
        SETUP,
        choices=('raw', 'compressedDepth'),
    )
    max_hands: int = _setting('max_hands', SETUP)
    pose_source: str = _setting('pose_source', SETUP)
    state_update: str = _setting('state_update')
    reset_interval: int = _setting('reset_interval')
    state_directory: str = parameter(
        '~/.ros/hand3r_states',
        'Folder of ~/save_state and ~/load_state; paths outside of it are refused',
        SETUP,
        is_path=True,
    )
    state_file: str = parameter(
        '',
        'Resume this saved session, in its world frame; absolute or relative to state_directory. Empty: a new session',
        SETUP,
        is_path=True,
    )
    tf_timeout: float = parameter(
        0.1, 'Longest wait for a transform, s (pose_source tf, base_frame)', minimum=0.0, maximum=5.0
    )
    initial_camera_pose: tuple[float, ...] = _setting('initial_camera_pose', SETUP)

    world_frame: str = parameter(
        'hand3r_world', 'Name of the world frame (not map or odom: it may drift and jump)', SETUP, tidy=frame_name
    )
    base_frame: str = parameter(
        '',
        'Publish the pose of this frame instead of the camera; its transform to the camera is looked up in TF',
        SETUP,
        tidy=frame_name,
    )
    publish_tf: bool = parameter(True, 'Publish the camera pose as TF (never with pose_source tf)', SETUP)
    invert_tf: bool = parameter(
        False,
        'Publish TF camera -> world. Also done, with a warning, where the camera or base_frame already has a parent',
        SETUP,
    )
    tf_hands: bool = parameter(False, 'Publish TF world_frame -> hand3r_left_wrist and hand3r_right_wrist', SETUP)

    detections: DetectionParameters = dataclasses.field(default_factory=DetectionParameters)
    hands: HandParameters = dataclasses.field(default_factory=HandParameters)
    smoothing: SmoothingParameters = dataclasses.field(default_factory=SmoothingParameters)
    points: PointParameters = dataclasses.field(default_factory=PointParameters)
    map: MapParameters = dataclasses.field(default_factory=MapParameters)
    depth: DepthParameters = dataclasses.field(default_factory=DepthParameters)
    markers: MarkerParameters = dataclasses.field(default_factory=MarkerParameters)
    teleop: TeleopParameters = dataclasses.field(default_factory=TeleopParameters)

    def __post_init__(self) -> None:
        """Check what one parameter alone cannot: raises :class:`ParameterError`."""
        if 0 < self.image_bits < 8:
            raise ParameterError(f'image_bits: {self.image_bits} is neither 0 (detect) nor 8 to 16')
        if not self.world_frame:
            raise ParameterError('world_frame: must not be empty')
        if self.base_frame == self.world_frame:
            raise ParameterError(f"base_frame: must differ from world_frame, both are '{self.world_frame}'")
        if math.hypot(*self.initial_camera_pose[3:]) < 1e-6:
            raise ParameterError('initial_camera_pose: the quaternion qx qy qz qw must not be zero')
