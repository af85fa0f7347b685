"""Converts the parameters of the node to the configuration of decoding and reconstruction."""

from __future__ import annotations

from pathlib import Path

from hand3r_ros.imaging.decoder import DecodingOptions
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.online.config import (
    DetectionConfig,
    MapConfig,
    PlacementConfig,
    ReconstructorConfig,
    SmoothingConfig,
    TrackingConfig,
)

_DETECTORS = {'auto': 'auto', 'topic': 'given', 'network': 'network', 'mediapipe': 'mediapipe', 'none': 'given'}


def decoding_options(parameters: NodeParameters) -> DecodingOptions:
    """What is taken from the parameters to decode images."""
    return DecodingOptions(parameters.max_image_pixels, parameters.image_bits)


def reconstructor_config(parameters: NodeParameters) -> ReconstructorConfig:
    """Everything that the reconstruction takes from the parameters; raises ValueError for what it refuses."""
    return ReconstructorConfig(
        preset=parameters.preset,
        weights_dir=Path(parameters.weights_dir).expanduser() if parameters.weights_dir else None,
        hand_model=parameters.hand_model,
        mano_path=Path(parameters.mano_dir).expanduser() if parameters.mano_dir else None,
        device=parameters.device,
        precision=parameters.precision,
        state_update=parameters.state_update,
        reset_interval=parameters.reset_interval,
        pose_source=parameters.pose_source,
        use_depth=parameters.use_depth,
        max_hands=parameters.max_hands,
        fallback_focal=parameters.fallback_focal_px,
        initial_camera_pose=parameters.initial_camera_pose,
        reset_on_time_jump=parameters.reset_on_time_jump,
        reset_after_gap=parameters.reset_after_gap,
        detection=DetectionConfig(
            detector=_DETECTORS[parameters.detector],
            threshold=parameters.detections.min_score,
            interval=parameters.detections.interval,
        ),
        tracking=TrackingConfig(max_prediction=parameters.hands.max_prediction),
        placement=PlacementConfig(translation=parameters.translation),
        map=MapConfig(
            enabled=parameters.map.enabled,
            voxel_size=parameters.map.voxel_size,
            max_points=parameters.map.max_points,
            exclude_hands=parameters.map.exclude_hands,
            min_confidence=parameters.map.min_confidence,
            max_range=parameters.map.max_range,
        ),
        smoothing=SmoothingConfig(
            enabled=parameters.smoothing.enabled,
            min_cutoff=parameters.smoothing.min_cutoff,
            beta=parameters.smoothing.beta,
        ),
    )
