"""Settings are checked at construction; the message names the field and what was found."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

import hand3r_ros
from hand3r_ros.network.presets import PRESETS
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
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.settings import settings_of


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
        (ReconstructorConfig, 'fallback_focal_px', float('nan')),
        (ReconstructorConfig, 'reset_after_gap', -0.1),
        (ReconstructorConfig, 'initial_camera_pose', (0.0,) * 7),
        (ReconstructorConfig, 'initial_camera_pose', (0.0, 0.0, 0.0, 1.0)),
        (ReconstructorConfig, 'initial_camera_pose', (float('inf'), 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)),
        (DetectionConfig, 'detector', ''),
        (DetectionConfig, 'detector', 'yolo'),
        (DetectionConfig, 'min_score', 1.01),
        (DetectionConfig, 'interval', 0),
        (TrackingConfig, 'timeout', float('inf')),
        (TrackingConfig, 'max_speed', 0.0),
        (PlacementConfig, 'translation', 'guess'),
        (PlacementConfig, 'max_depth_correction', 0.9),
        (GeometricPoseConfig, 'min_inliers', 3),
        (MapConfig, 'voxel_size', 0.0),
        (MapConfig, 'enabled', 1),
        (MapConfig, 'max_points', 0),
        (MapConfig, 'max_points', 1000.0),
        (MapConfig, 'max_range', True),
        (SmoothingConfig, 'min_cutoff', '1'),
    ],
)
def test_bad_values_name_the_field_and_the_value(kind, field, value):
    with pytest.raises(ValueError, match=rf'{field} must be .*, got ') as caught:
        kind(**{field: value})
    assert repr(value) in str(caught.value)


def classes(kind: type = ReconstructorConfig) -> list[type]:
    nested = [hint for hint in typing.get_type_hints(kind).values() if dataclasses.is_dataclass(hint)]
    return [kind, *(inner for hint in nested for inner in classes(hint))]


def test_every_setting_is_declared_with_a_description_and_numbers_with_a_range():
    declared = dict(settings_of(ReconstructorConfig))
    plain = [f for kind in classes() for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING]
    assert len(plain) == len(declared) > 35
    for name, setting in declared.items():
        assert len(setting.description) > 10 and setting.allows(setting.default), name
        if type(setting.default) in (int, float):
            assert setting.minimum is not None and setting.maximum is not None, name


def test_presets_are_those_that_there_are():
    assert set(dict(settings_of(ReconstructorConfig))['preset'].choices) == set(PRESETS)


@pytest.mark.parametrize('detector', dict(settings_of(ReconstructorConfig))['detection.detector'].choices)
def test_every_detector_that_can_be_chosen_is_there(detector):
    assert make_detector(ReconstructorConfig(device='cpu', detection=DetectionConfig(detector))) is not None


def test_the_front_door_has_the_same_defaults():
    given = inspect.signature(hand3r_ros.load).parameters
    for name in ('preset', 'device'):
        assert given[name].default == getattr(ReconstructorConfig, name)


def test_configurations_are_frozen_and_comparable():
    config = ReconstructorConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.preset = 'full'
    assert changed_fields(config, ReconstructorConfig()) == ()
    other = dataclasses.replace(config, max_hands=4, map=MapConfig(voxel_size=0.02))
    assert changed_fields(config, other) == ('max_hands', 'map')
