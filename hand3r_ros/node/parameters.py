"""All parameters of the hand3r node: defaults, meaning and ranges, and the frozen snapshot the node works with."""

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

    min_score: float = parameter(0.5, 'Ignore hands detected with a lower score', minimum=0.0, maximum=1.0)
    interval: int = parameter(
        1, 'Run the detector on every n-th image; between, boxes follow the hands', minimum=1, maximum=1000
    )
    wait: float = parameter(
        0.1,
        'Seconds an image waits for its detections (same stamp) when detector is topic or auto and somebody publishes '
        'them',
        minimum=0.0,
        maximum=5.0,
    )
    left: tuple[str, ...] = parameter(
        ('left', 'left_hand', 'hand_left', 'l'),
        'Values of class_id on the topic detections that mean a left hand; case, spaces, - and _ do not matter',
        SETUP,
    )
    right: tuple[str, ...] = parameter(
        ('right', 'right_hand', 'hand_right', 'r'), 'Values of class_id that mean a right hand', SETUP
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
    vertices: bool = parameter(True, 'Fill HandMesh.vertices; off saves bandwidth, keypoints stay')
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

    enabled: bool = parameter(False, 'Smooth the hands over time (One-Euro filter)')
    min_cutoff: float = parameter(1.5, 'Cut-off at rest, Hz: lower is calmer', minimum=0.01, maximum=100.0)
    beta: float = parameter(2.0, 'Growth of the cut-off with speed: higher follows faster', minimum=0.0, maximum=100.0)


@dataclass(frozen=True)
class PointParameters:
    """Group ``points``: the cloud of the current frame, ~/points."""

    publish: bool = parameter(True, 'Publish ~/points (built only while somebody subscribes)')
    stride: int = parameter(2, 'Take every n-th row and column of the point map', minimum=1, maximum=64)
    min_confidence: float = parameter(
        1.0,
        'Leave out points of lower confidence (1 leaves out none; 1.5 suits preset full)',
        minimum=0.0,
        maximum=1000.0,
    )
    max_range: float = parameter(10.0, 'Leave out points farther from the camera, m', minimum=0.01, maximum=1000.0)
    organized: bool = parameter(False, 'Keep rows and columns, with NaN for left-out points (else a flat list)')
    exclude_hands: bool = parameter(False, 'Leave out the pixels of hands')


@dataclass(frozen=True)
class MapParameters:
    """Group ``map``: the voxel map of the scene, ~/map."""

    enabled: bool = parameter(True, 'Build the map; off saves time', SETUP)
    publish: bool = parameter(True, 'Publish ~/map')
    rate_hz: float = parameter(1.0, 'How often ~/map is published at most, Hz', minimum=0.01, maximum=30.0)
    voxel_size: float = parameter(0.01, 'Edge of a voxel, m', SETUP, minimum=0.001, maximum=1.0)
    max_points: int = parameter(
        400_000, 'Voxels kept at most; the least seen and oldest go first', SETUP, minimum=1, maximum=10_000_000
    )
    min_confidence: float = parameter(
        1.0,
        'Leave out points of lower confidence (1 leaves out none; 1.5 suits preset full)',
        minimum=0.0,
        maximum=1000.0,
    )
    max_range: float = parameter(5.0, 'Leave out points farther from the camera, m', minimum=0.01, maximum=1000.0)
    exclude_hands: bool = parameter(True, 'Keep hands out of the map')
    directory: str = parameter(
        '~/.ros/hand3r_maps',
        'Folder below which ~/save_map writes; paths that lead out of it are refused',
        SETUP,
        is_path=True,
    )


@dataclass(frozen=True)
class DepthParameters:
    """Group ``depth``: ~/depth/image and ~/depth/camera_info."""

    publish: bool = parameter(False, 'Publish the depth image (32FC1, metres) and its camera_info')


@dataclass(frozen=True)
class MarkerParameters:
    """Group ``markers``: ~/markers for RViz."""

    publish: bool = parameter(True, 'Publish ~/markers (built only while somebody subscribes)')
    rate_hz: float = parameter(
        5.0,
        'How often ~/markers is published at most, Hz; a mesh as markers costs more than all else',
        minimum=0.01,
        maximum=100.0,
    )


@dataclass(frozen=True)
class TeleopParameters:
    """Group ``teleop``: ~/hands/<side>/wrist_pose."""

    stamp: str = parameter(
        'image',
        'Stamp of wrist_pose: of the image, or the time of publishing for consumers that drop poses older than 0.1 s',
        choices=('image', 'now'),
    )


@dataclass(frozen=True)
class NodeParameters:
    """Every parameter of the node at one moment."""

    autostart: bool = parameter(True, 'Configure and activate without being asked', FIXED)

    preset: str = parameter('tiny', 'Size of the network', SETUP, choices=('tiny', 'full'))
    weights_dir: str = parameter(
        '',
        'Folder with <preset>.safetensors; empty: $HAND3R_WEIGHTS, else the weights that came with the package',
        SETUP,
        is_path=True,
    )
    hand_model: str = parameter(
        'open_hand', 'The hand model the weights were trained with', SETUP, choices=('open_hand', 'mano')
    )
    mano_dir: str = parameter(
        '', 'Folder with MANO_RIGHT.pkl, for hand_model mano; empty: beside the weights', SETUP, is_path=True
    )
    translation: str = parameter(
        'auto',
        'Metric place of a hand: from the trained head (network), from the scene around it (aligned), or the first '
        'where the weights have it (auto)',
        choices=('auto', 'network', 'aligned'),
    )
    device: str = parameter('auto', 'auto, cpu, cuda or cuda:<n>', SETUP)
    precision: str = parameter(
        'float32', 'Number format of the network', SETUP, choices=('float32', 'float16', 'bfloat16')
    )
    warmup: bool = parameter(True, 'Run one blank image at configure, so that the first real one is not slow', SETUP)

    image_transport: str = parameter(
        'raw', 'raw: topic image (Image); compressed: topic image/compressed', SETUP, choices=('raw', 'compressed')
    )
    max_image_pixels: int = parameter(
        DEFAULT_MAX_PIXELS,
        'Refuse images that say they have more pixels, before memory is taken for them',
        minimum=1,
        maximum=1 << 30,
    )
    image_bits: int = parameter(
        0,
        'Bits that the sensor fills in 16 bit images, from the lowest (10, 12, 14, ...; 8 at least); 0: detect them',
        minimum=0,
        maximum=16,
    )
    max_image_age: float = parameter(
        0.0, 'Skip images older than this when their turn comes, s; 0: take every age', minimum=0.0, maximum=3600.0
    )
    reset_on_time_jump: bool = parameter(True, 'Begin a new session when stamps jump back (a bag that starts again)')
    reset_after_gap: float = parameter(
        5.0,
        'Begin a new session when this many seconds passed between two images; 0: never',
        minimum=0.0,
        maximum=86400.0,
    )

    use_camera_info: bool = parameter(True, 'Use the calibration of topic camera_info', SETUP)
    rectified: bool = parameter(
        False,
        'The image is rectified: take P of CameraInfo instead of K; otherwise its lens distortion is taken out',
        SETUP,
    )
    mirrored_image: bool = parameter(
        False,
        'The image is mirrored left to right (selfie view): it and its calibration are turned round before anything '
        'else, so that sides and the world are real; boxes, keypoints_2d and detections refer to the mirrored image',
        SETUP,
    )
    fallback_focal_px: float = parameter(
        0.0,
        'Focal length when there is no calibration, px of the image; 0: estimate it',
        SETUP,
        minimum=0.0,
        maximum=1e5,
    )
    calibration_wait: float = parameter(
        0.5,
        'Seconds the first image waits for its calibration when somebody publishes camera_info',
        minimum=0.0,
        maximum=10.0,
    )

    detector: str = parameter(
        'auto',
        "Where hands are found: in the boxes of the topic detections (topic), by MediaPipe's networks, to whose "
        "landmarks they are fitted (mediapipe), by the network's own detection head (network), nowhere (none). auto: "
        "the topic for images it has boxes for, else MediaPipe's networks and what only the head is sure of",
        SETUP,
        choices=('auto', 'topic', 'network', 'mediapipe', 'none'),
    )
    max_hands: int = parameter(2, 'Hands per image at most, best scores first', SETUP, minimum=0, maximum=16)
    pose_source: str = parameter(
        'auto',
        'Camera pose from the network, from its points (geometric), from TF world_frame -> image frame (tf), or what '
        'the weights recommend (auto)',
        SETUP,
        choices=('auto', 'network', 'geometric', 'tf'),
    )
    state_update: str = parameter(
        'cut3r',
        'How a frame rewrites the recurrent state: all of it (cut3r), or each part as far as it attends to the image '
        '(ttt3r), which forgets long streams more slowly',
        choices=('cut3r', 'ttt3r'),
    )
    reset_interval: int = parameter(
        0,
        'Begin the recurrent state anew every n images, in the same world and session; 0: never (TTT3R: 50 or 100)',
        minimum=0,
        maximum=100_000,
    )
    state_directory: str = parameter(
        '~/.ros/hand3r_states',
        'Folder of ~/save_state and ~/load_state; paths that lead out of it are refused',
        SETUP,
        is_path=True,
    )
    state_file: str = parameter(
        '',
        'Go on from this saved session, in its world frame; absolute or below state_directory. Empty: a new world',
        SETUP,
        is_path=True,
    )
    tf_timeout: float = parameter(
        0.1, 'Seconds to wait for a transform (pose_source tf, base_frame)', minimum=0.0, maximum=5.0
    )
    initial_camera_pose: tuple[float, ...] = parameter(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        'Pose of the first camera (x forward, y left, z up) in world_frame: x y z qx qy qz qw; gives a world that is '
        'level, which one camera alone cannot know',
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
        'Publish TF camera -> world. It is done anyway, with a warning, for a camera or base_frame that has a parent',
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
