"""The settings of a run: the node's parameters, from the same declarations, given as options."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hand3r_ros.node.parameter_fields import ParameterError, ParameterSpec, from_values, specs_of
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.offline.bag_topics import BagTopics
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.inputs import Selection

SLOWEST_RATE = 1e-3
"""Hz, that a user may give."""


@dataclass(frozen=True)
class RunSettings:
    """Everything that a user says about a run."""

    input: Path
    out: Path
    values: Mapping[str, Any] = field(default_factory=dict)  # parameters of the node that were given, by full name
    selection: Selection = field(default_factory=Selection)
    fps: float = 0.0
    camera_frame: str = ''
    calibration: Path | None = None
    topics: BagTopics = field(default_factory=BagTopics)
    depth_units: float = 0.0  # per metre, of 16 bit depth files; 0: by their layout
    node_name: str = 'hand3r'
    overwrite: bool = False
    checkpoint_seconds: float = 30.0
    map_seconds: float = 5.0  # of the stream, between two maps; 0: only at the end of a session
    view: bool = False
    picture: Path | None = None
    save_state: Path | None = None  # where the session at the end is written, for a node to go on from

    def __post_init__(self) -> None:
        if self.fps and not SLOWEST_RATE <= self.fps <= 1000.0:
            raise RunError(f'--fps must be {SLOWEST_RATE:g} to 1000 images per second, got {self.fps:g}')


def parameter_values(assignments: Sequence[str]) -> dict[str, Any]:
    """Values by full name of ``NAME:=VALUE``, the value read as YAML, as ``ros2 run --ros-args -p`` takes it.

    Raises:
        RunError: it is not an assignment, or there is no such parameter.

    """
    specs = parameter_specs()
    values = {}
    for text in assignments:
        name, separator, value = text.partition(':=')
        if not separator:
            raise RunError(f"--parameter '{text}' is not of the form NAME:=VALUE")
        if name not in specs:
            near = difflib.get_close_matches(name, specs, n=3)
            hint = f'; did you mean {" or ".join(near)}?' if near else ': see docs/parameters.md'
            raise RunError(f"the node has no parameter '{name}'{hint}")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise RunError(f"--parameter {name}: '{value}' cannot be read: {error}") from error
        if specs[name].type is str and not isinstance(values[name], str):
            values[name] = value
    return values


def node_parameters(values: Mapping[str, Any]) -> NodeParameters:
    """The snapshot the node would work with; raises RunError for a value that is not allowed."""
    try:
        return from_values(NodeParameters, values)
    except (ParameterError, TypeError, ValueError) as error:
        raise RunError(f'parameter {error}') from error


def parameter_specs() -> dict[str, ParameterSpec]:
    """Every parameter of the node by its full name."""
    return {spec.name: spec for spec in specs_of(NodeParameters)}


def as_json(parameters: NodeParameters) -> dict[str, Any]:
    """All parameters by full name."""
    result: dict[str, Any] = {}
    for name, value in dataclasses.asdict(parameters).items():
        if isinstance(value, dict):
            result.update({f'{name}.{inner}': item for inner, item in value.items()})
        else:
            result[name] = value
    return result
