"""Settings are checked at construction; the message names the field and what was found."""

from __future__ import annotations

import dataclasses

import pytest

from hand3r_ros.online.config import (
    DetectionConfig,
    GeometricPoseConfig,
    MapConfig,
    PlacementConfig,
    ReconstructorConfig,
    SmoothingConfig,
    TrackingConfig,
    changed_fields,
)


@pytest.mark.parametrize(
    ('kind', 'field', 'value'),
    [
        (ReconstructorConfig, 'pose_source', 'magic'),
        (ReconstructorConfig, 'precision', 'int8'),
        (ReconstructorConfig, 'hand_model', 'nimble'),
        (ReconstructorConfig, 'device', 'gpu'),
        (ReconstructorConfig, 'device', 'cuda:x'),
        (ReconstructorConfig, 'preset', ''),
        (ReconstructorConfig, 'max_hands', -1),
        (ReconstructorConfig, 'fallback_focal', float('nan')),
        (ReconstructorConfig, 'reset_after_gap', -0.1),
        (ReconstructorConfig, 'initial_camera_pose', (0.0,) * 7),
        (ReconstructorConfig, 'initial_camera_pose', (0.0, 0.0, 0.0, 1.0)),
        (ReconstructorConfig, 'initial_camera_pose', (float('inf'), 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)),
        (DetectionConfig, 'detector', ''),
        (DetectionConfig, 'threshold', 1.01),
        (DetectionConfig, 'interval', 0),
        (TrackingConfig, 'timeout', float('inf')),
        (TrackingConfig, 'max_speed', 0.0),
        (PlacementConfig, 'translation', 'guess'),
        (PlacementConfig, 'max_depth_correction', 0.9),
        (GeometricPoseConfig, 'min_inliers', 3),
        (MapConfig, 'voxel_size', 0.0),
        (MapConfig, 'max_points', 0),
        (MapConfig, 'max_range', True),
        (SmoothingConfig, 'min_cutoff', '1'),
    ],
)
def test_bad_values_name_the_field_and_the_value(kind, field, value):
    with pytest.raises(ValueError, match=rf'{field} must be .*, got ') as caught:
        kind(**{field: value})
    assert repr(value) in str(caught.value)


def test_configurations_are_frozen_and_comparable():
    config = ReconstructorConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.preset = 'full'
    assert changed_fields(config, ReconstructorConfig()) == ()
    other = dataclasses.replace(config, max_hands=4, map=MapConfig(voxel_size=0.02))
    assert changed_fields(config, other) == ('max_hands', 'map')
