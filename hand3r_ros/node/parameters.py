"""All parameters of the hand3r node: defaults, descriptions and ranges, as one frozen snapshot."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hand3r_ros.imaging.limits import DEFAULT_MAX_PIXELS
from hand3r_ros.node.names import class_key, frame_name
from hand3r_ros.node.parameter_fields import Changes, ParameterError, parameter

FIXED = Changes.NEVER
SETUP = Changes.UNCONFIGURED


DETECTORS_WITH_TOPIC = ('auto', 'topic')
"""Values of ``detector`` with which the topic of hand boxes is listened to."""


@dataclass(frozen=True)
class DetectionParameters:
    """Group ``detections``: boxes of hands in the image."""

    min_score: float = parameter(0.5, 'Discard hands with a lower detection score', minimum=0.0, maximum=1.0)
    interval: int = parameter(
        1,
        'Run the detector on every n-th image; in between, boxes are propagated from the previous hands',
        minimum=1,
        maximum=1000,
    )
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
    max_prediction: float = parameter(
        0.2,
        'Seconds for which a hand that is missed is predicted, with a falling score and articulation_source '
        'ARTICULATION_PREDICTED; 0: never',
        minimum=0.0,
        maximum=5.0,
    )


@dataclass(frozen=True)
class SmoothingParameters:
    """Group ``smoothing``: One-Euro filter of the hands; off by default because filters delay and bias data."""

    enabled: bool = parameter(False, 'Apply a One-Euro filter to the hands')
    min_cutoff: float = parameter(1.5, 'Minimum cut-off frequency, Hz; lower smooths more', minimum=0.01, maximum=100.0)
    beta: float = parameter(
        2.0, 'Speed coefficient of the cut-off frequency; higher lags less', minimum=0.0, maximum=100.0
    )


@dataclass(frozen=True)
class PointParameters:
    """Group ``points``: the cloud of the current frame, ~/points."""

    publish: bool = parameter(True, 'Publish ~/points (built only while somebody subscribes)')
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

    enabled: bool = parameter(True, 'Build the map; false saves time', SETUP)
    publish: bool = parameter(True, 'Publish ~/map')
    rate_hz: float = parameter(1.0, 'Maximum rate of ~/map, Hz', minimum=0.01, maximum=30.0)
    voxel_size: float = parameter(0.01, 'Edge length of a voxel, m', SETUP, minimum=0.001, maximum=1.0)
    max_points: int = parameter(
        400_000,
        'Maximum number of voxels; the least observed and oldest are removed first',
        SETUP,
        minimum=1,
        maximum=10_000_000,
    )
    min_confidence: float = parameter(
        1.0,
        'Leave out points of lower confidence (1 keeps all; 1.5 suits preset full)',
        minimum=0.0,
        maximum=1000.0,
    )
    max_range: float = parameter(5.0, 'Leave out points farther from the camera, m', minimum=0.01, maximum=1000.0)
    exclude_hands: bool = parameter(True, 'Leave out points on hands')
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

    publish: bool = parameter(True, 'Publish ~/markers (built only while somebody subscribes)')
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

    preset: str = parameter('tiny', 'Size of the network', SETUP, choices=('tiny', 'full'))
    weights_dir: str = parameter(
        '',
        'Folder with <preset>.safetensors; empty: $HAND3R_WEIGHTS, else the weights of the package',
        SETUP,
        is_path=True,
    )
    hand_model: str = parameter(
        'open_hand', 'Hand model that the weights were trained for', SETUP, choices=('open_hand', 'mano')
    )
    mano_dir: str = parameter(
        '', 'Folder with MANO_RIGHT.pkl, for hand_model mano; empty: the folder of the weights', SETUP, is_path=True
    )
    translation: str = parameter(
        'auto',
        'Position of a hand: from the trained head (network), from its size and the scene points on it '
        '(aligned), or from the head where the weights have one (auto)',
        choices=('auto', 'network', 'aligned'),
    )
    device: str = parameter('auto', 'Device of the network: auto, cpu, cuda or cuda:<n>', SETUP)
    precision: str = parameter(
        'float32', 'Floating-point format of the network', SETUP, choices=('float32', 'float16', 'bfloat16')
    )
    warmup: bool = parameter(
        True, 'Process one blank image at configure, so that the first real one is not slow', SETUP
    )

    image_transport: str = parameter(
        'raw', 'raw: topic image (Image); compressed: topic image/compressed', SETUP, choices=('raw', 'compressed')
    )
    max_image_pixels: int = parameter(
        DEFAULT_MAX_PIXELS,
        'Refuse images whose header declares more pixels, before memory is allocated',
        minimum=1,
        maximum=1 << 30,
    )
    image_bits: int = parameter(
        0,
        'Significant bits of 16-bit images, from the lowest (10, 12, 14, ...; at least 8); 0: detect them',
        minimum=0,
        maximum=16,
    )
    max_image_age: float = parameter(
        0.0, 'Skip images older than this when processing starts, s; 0 disables', minimum=0.0, maximum=3600.0
    )
    reset_on_time_jump: bool = parameter(True, 'Start a new session when stamps jump back (a bag played in a loop)')
    reset_after_gap: float = parameter(
        5.0,
        'Start a new session after a gap of this many seconds between two images; 0: never',
        minimum=0.0,
        maximum=86400.0,
    )

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
    fallback_focal_px: float = parameter(
        0.0,
        'Focal length to use without a calibration, px of the image; 0: estimate it',
        SETUP,
        minimum=0.0,
        maximum=1e5,
    )
    calibration_wait: float = parameter(
        0.5,
        'Longest wait of the first image for its calibration, s; only while camera_info has a publisher',
        minimum=0.0,
        maximum=10.0,
    )

    detector: str = parameter(
        'auto',
        "How hands are detected: boxes on topic detections (topic), MediaPipe's networks with the hand "
        "model fitted to their landmarks (mediapipe), the network's own detection head (network), not at "
        "all (none). auto: the topic for images it has boxes for, else MediaPipe's networks and what only "
        'the detection head finds with certainty',
        SETUP,
        choices=('auto', 'topic', 'network', 'mediapipe', 'none'),
    )
    use_depth: str = parameter(
        'auto',
        'Measured depth from topic depth: used for images that have it (auto), ignored (off), or mandatory, so that '
        'images without it are skipped (required)',
        SETUP,
        choices=('auto', 'off', 'required'),
    )
    depth_transport: str = parameter(
        'raw',
        'raw: topic depth (Image); compressedDepth: topic depth/compressedDepth, PNG only',
        SETUP,
        choices=('raw', 'compressedDepth'),
    )
    max_hands: int = parameter(2, 'Maximum number of hands per image, best scores first', SETUP, minimum=0, maximum=16)
    pose_source: str = parameter(
        'auto',
        'Camera pose: predicted by the network (network), from feature tracks on its points (geometric), '
        'from TF world_frame -> image frame (tf), or as the weights recommend (auto)',
        SETUP,
        choices=('auto', 'network', 'geometric', 'tf'),
    )
    state_update: str = parameter(
        'cut3r',
        'Update rule of the recurrent state: complete (cut3r), or weighted by attention to the image '
        '(ttt3r), which forgets long streams more slowly',
        choices=('cut3r', 'ttt3r'),
    )
    reset_interval: int = parameter(
        0,
        'Re-initialise the recurrent state every n frames, keeping the world frame and the session; 0: '
        'never (TTT3R: 50 or 100)',
        minimum=0,
        maximum=100_000,
    )
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
    initial_camera_pose: tuple[float, ...] = parameter(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        'Pose of the first camera (x forward, y left, z up) in world_frame: x y z qx qy qz qw; aligns the '
        'world with gravity, which one camera cannot measure',
        SETUP,
        length=7,
    )

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
        if float(np.linalg.norm(self.initial_camera_pose[3:])) < 1e-6:
            raise ParameterError('initial_camera_pose: the quaternion qx qy qz qw must not be zero')
