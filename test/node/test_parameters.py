"""Parameters: every default is valid, config/hand3r.yaml names them all, and bad values are refused with a reason."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import yaml

from hand3r_ros.node.parameter_fields import Changes, ParameterError, from_values, specs_of
from hand3r_ros.node.parameters import NodeParameters

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
