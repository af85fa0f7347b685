"""Parameters: every default is valid, config/hand3r.yaml names them all, and bad values are refused with a reason."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import yaml

from hand3r_ros.imaging.limits import DecodingOptions
from hand3r_ros.node.configuration import decoding_options, reconstructor_config
from hand3r_ros.node.parameter_fields import Changes, ParameterError, ParameterSpec, from_values, specs_of
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.online.config import DetectionConfig, MapConfig, ReconstructorConfig
from hand3r_ros.settings import settings_of

SPECS = {spec.name: spec for spec in specs_of(NodeParameters)}
CONFIG = Path(__file__).parents[2] / 'config' / 'hand3r.yaml'


def parameters(**values: object) -> NodeParameters:
    return from_values(NodeParameters, {name.replace('__', '.'): value for name, value in values.items()})


def test_every_default_passes_its_own_check() -> None:
    assert from_values(NodeParameters, {name: spec.default for name, spec in SPECS.items()}) == NodeParameters()


def test_every_parameter_is_described_and_every_number_has_a_range() -> None:
    for spec in SPECS.values():
        assert len(spec.description) > 10, spec.name
        if spec.type in (int, float):
            assert spec.minimum is not None and spec.maximum is not None, spec.name


def test_the_configuration_file_names_every_parameter_with_its_default() -> None:
    def flatten(tree: dict, prefix: str = '') -> dict:
        flat: dict = {}
        for key, value in tree.items():
            flat |= flatten(value, f'{prefix}{key}.') if isinstance(value, dict) else {prefix + key: value}
        return flat

    written = flatten(yaml.safe_load(CONFIG.read_text())['/**']['ros__parameters'])
    assert from_values(NodeParameters, written) == NodeParameters()
    assert set(written) == set(SPECS)
    for name, value in written.items():
        assert isinstance(value, list if SPECS[name].type is tuple else SPECS[name].type), name


def stands_for(spec: ParameterSpec) -> tuple[type, str] | None:
    return None if spec.stands_for is None else (spec.stands_for.config, spec.stands_for.name)


def test_a_parameter_that_stands_for_a_setting_repeats_nothing_of_it() -> None:
    configurations = (ReconstructorConfig, DecodingOptions)
    settings = {(kind, name): declared for kind in configurations for name, declared in settings_of(kind)}
    taken = [found for spec in SPECS.values() if (found := stands_for(spec))]
    assert len(taken) == len(set(taken)) > 25
    for spec in SPECS.values():
        if found := stands_for(spec):
            assert spec.setting is settings[found]
            # One name: the group may differ, as nothing below the node is a group of ROS parameters.
            assert found[1].rpartition('.')[2] == spec.name.rpartition('.')[2]
    described = {declared.description for declared in settings.values()}
    names = {name.rpartition('.')[2] for _, name in settings}
    own_cloud = {'points.min_confidence', 'points.max_range', 'points.exclude_hands'}  # beside those of the map
    for spec in SPECS.values():
        if stands_for(spec) is None:
            assert spec.description not in described, spec.name
            if spec.name not in own_cloud:
                assert spec.name.rpartition('.')[2] not in names, f'{spec.name}: a setting, declare it by parameter_of'


def test_every_setting_of_the_reconstruction_is_a_parameter_or_said_to_be_none() -> None:
    """A new setting is declared in online/config.py alone; here it is decided whether users of the node get it."""
    taken = {found[1] for spec in SPECS.values() if (found := stands_for(spec)) and found[0] is ReconstructorConfig}
    others = {name for name, _ in settings_of(ReconstructorConfig)} - taken
    assert {name for name in others if name.partition('.')[0] not in ('tracking', 'geometric_pose')} == {
        'detection.overlap',
        'detection.smallest_box',
        'placement.min_scene_points',
        'placement.max_depth_correction',
        'placement.min_agreement',
        'map.hand_margin',
        'map.max_edge',
        'smoothing.derivative_cutoff',
    }


def test_the_defaults_of_the_node_are_those_of_the_reconstruction() -> None:
    assert reconstructor_config(NodeParameters()) == ReconstructorConfig()
    assert decoding_options(NodeParameters()) == DecodingOptions()


def test_parameters_reach_the_reconstruction_under_the_names_of_its_settings(tmp_path: Path) -> None:
    values = {'mano_dir': str(tmp_path), 'weights_dir': '~/weights', 'map__voxel_size': 0.05, 'detector': 'none'}
    config = reconstructor_config(parameters(**values, detections__min_score=0.25))
    assert (config.mano_dir, config.weights_dir) == (tmp_path, Path.home() / 'weights')
    assert config.map == MapConfig(voxel_size=0.05)
    assert config.detection == DetectionConfig('none', min_score=0.25)


def test_groups_become_dotted_names_and_types_follow_the_annotations() -> None:
    assert SPECS['points.stride'].type is int
    assert SPECS['initial_camera_pose'].type is tuple
    assert SPECS['map.rate_hz'].type is float
    assert parameters(points__stride=5).points.stride == 5
    assert parameters(points__stride=5).map == NodeParameters().map


def test_the_snapshot_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NodeParameters().points.stride = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('points.stride', 0, 'outside 1 to 64'),
        ('points.stride', 2.0, 'not of type int'),
        ('points.stride', True, 'not of type int'),
        ('detections.min_score', 1.01, 'outside 0 to 1'),
        ('detections.min_score', math.nan, 'outside'),
        ('map.rate_hz', math.inf, 'outside'),
        ('preset', 'huge', 'not one of tiny, full'),
        ('image_transport', 1, 'not of type str'),
        ('publish_tf', 1, 'not of type bool'),
        ('initial_camera_pose', [0.0] * 6, 'needs 7 numbers, got 6'),
        ('initial_camera_pose', [math.nan] * 7, 'not finite'),
        ('initial_camera_pose', [0.0] * 7, 'quaternion'),
        ('world_frame', '', 'must not be empty'),
        ('base_frame', 'hand3r_world', 'must differ from world_frame'),
        ('map.directory', '~nosuchuser/maps', 'unknown user'),
        ('state_file', '~nosuchuser/kitchen', 'unknown user'),
        ('state_directory', 'a/' * 2001, 'too long for a path'),
        ('weights_dir', 'n' * 256, 'too long for a path'),
        ('mano_dir', 'a\0b', 'cannot be printed'),
    ],
)
def test_bad_values_are_refused_by_name_with_the_reason(name: str, value: object, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason) as refused:
        from_values(NodeParameters, {name: value})
    assert str(refused.value).startswith(f'{name}:')


def test_whole_numbers_are_taken_for_decimal_ones() -> None:
    assert parameters(points__max_range=4).points.max_range == 4.0


def test_what_must_not_change_while_images_flow_says_so() -> None:
    assert SPECS['autostart'].changes is Changes.NEVER
    assert SPECS['weights_dir'].changes is Changes.UNCONFIGURED
    assert SPECS['points.stride'].changes is Changes.ANY_TIME
