"""ROS arguments of a command line: `--ros-args -r from:=to -p name:=value --params-file F --log-level L`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rclpy._names import join_namespace
from rclpy._rclpy_pybind11 import RCLInvalidROSArgsError, UnknownROSArgsError

WILDCARD = '/**'
VALUE_FLAGS = ('-r', '--remap', '-p', '--param', '--params-file', '--log-level', '-e', '--enclave')
LOG_LEVELS = ('unset', 'debug', 'info', 'warn', 'error', 'fatal')
LOG_SWITCHES = ('rosout-logs', 'stdout-logs', 'external-lib-logs')


class _ParameterLoader(yaml.SafeLoader):
    """YAML as ROS reads it: '1e-3' is a number although YAML 1.1 wants '1.0e-3'."""


_ParameterLoader.add_implicit_resolver(
    'tag:yaml.org,2002:float', re.compile(r'^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$'), list('-+0123456789.')
)


def parse_yaml(text: str) -> Any:
    """Value of a YAML document with ROS 2's rules for numbers."""
    return yaml.load(text, _ParameterLoader)


@dataclass(frozen=True)
class Remap:
    """A rename rule; `node` limits it to one node."""

    source: str
    target: str
    node: str | None = None


@dataclass
class RosArguments:
    """What --ros-args said. `parameters` are (pattern of full node names, {name: value}), later ones win."""

    remaps: list[Remap] = field(default_factory=list)
    parameters: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    log_levels: dict[str, str] = field(default_factory=dict)
    rosout: bool = True
    enclave: str = '/'

    def parameters_of(self, node: str) -> dict[str, Any]:
        """Parameter overrides of the node with this full name ('/robot/hand3r')."""
        # A value replaces an earlier one of the same pattern, but between patterns the one that came up last wins.
        patterns: dict[str, dict[str, Any]] = {}
        for pattern, values in self.parameters:
            if node_matches(pattern, node):
                patterns.setdefault('/' + pattern.lstrip('/'), {}).update(values)
        return {name: value for values in patterns.values() for name, value in values.items()}


def split_ros_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(arguments of the program, ROS arguments)."""
    program: list[str] = []
    ros: list[str] = []
    inside = False
    for argument in arguments:
        if argument == '--ros-args':
            inside = True
        elif argument == '--' and inside:
            inside = False
        else:
            (ros if inside else program).append(argument)
    return program, ros


def parse_ros_arguments(arguments: Sequence[str] | None) -> RosArguments:
    """Parse the part of a command line that is between --ros-args and '--'."""
    result = RosArguments()
    _, ros = split_ros_arguments(arguments or [])
    position = 0
    while position < len(ros):
        flag = ros[position]
        position += 1
        switch = re.fullmatch(r'--(enable|disable)-(.+)', flag)
        if switch and switch.group(2) in LOG_SWITCHES:
            if switch.group(2) == 'rosout-logs':
                result.rosout = switch.group(1) == 'enable'
            continue
        if flag not in VALUE_FLAGS:
            raise UnknownROSArgsError(f'unknown ROS argument {flag!r}; known: {", ".join(VALUE_FLAGS)}')
        if position == len(ros):
            raise RCLInvalidROSArgsError(f'the ROS argument {flag} needs a value')
        try:
            _apply(result, flag, ros[position])
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise RCLInvalidROSArgsError(f'the value of {flag} cannot be used: {error}') from error
        position += 1
    return result


def _apply(result: RosArguments, flag: str, value: str) -> None:
    if flag in ('-r', '--remap'):
        node, source, target = _rule(flag, value)
        result.remaps.append(Remap(source, target, node))
    elif flag in ('-p', '--param'):
        node, name, text = _rule(flag, value)
        result.parameters.append((node or WILDCARD, {name: parse_yaml(text)}))
    elif flag == '--params-file':
        result.parameters += read_parameter_file(Path(value))
    elif flag == '--log-level':
        name, _, level = value.rpartition(':=')
        if level.lower() not in LOG_LEVELS:
            raise ValueError(f'{level!r} is none of {", ".join(LOG_LEVELS)}')
        result.log_levels[name] = level
    else:
        result.enclave = value


def _rule(flag: str, text: str) -> tuple[str | None, str, str]:
    """'node:from:=to' -> ('node', 'from', 'to')."""
    source, separator, target = text.partition(':=')
    if not separator or not source or not target or any(character.isspace() for character in source):
        raise RCLInvalidROSArgsError(f'the value of {flag} must look like name:=value, found {text!r}')
    node, colon, name = source.rpartition(':')
    return (node if colon else None), name, target


def read_parameter_file(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Parameters of a YAML file: [(node pattern, {name: value})]; ValueError where it is malformed."""
    try:
        content = parse_yaml(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ValueError(f'{path}: not a YAML file: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path}: a parameter file maps node names to "ros__parameters:", found {content!r:.80}')
    entries: list[tuple[str, dict[str, Any]]] = []
    for key, body in content.items():
        entries += _node_entries('', str(key), body, path)
    return entries


def _node_entries(namespace: str, key: str, body: Any, path: Path) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(body, dict):
        raise ValueError(f'{path}: expected "ros__parameters:" below {key!r}, found {body!r:.80}')
    name = join_namespace(namespace, key.strip('/'))
    if 'ros__parameters' in body:
        return [(name, flatten(body['ros__parameters'] or {}))]
    return [entry for inner, value in body.items() for entry in _node_entries(name, str(inner), value, path)]


def flatten(parameters: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """{'points': {'stride': 2}} -> {'points.stride': 2}."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat


def node_matches(pattern: str, node: str) -> bool:
    """Whether a full node name fits a pattern: '*' is one name, '**' any number; 'name' fits in the root only."""
    pattern = pattern if pattern.startswith('/') else '/' + pattern
    expression = re.escape(pattern).replace(r'/\*\*', '(?:/.*)?').replace(r'\*', '[^/]*')
    return re.fullmatch(expression, node) is not None
