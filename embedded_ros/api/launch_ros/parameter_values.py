"""Turn what a launch file gives as parameters into files that nodes read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from launch.launch_context import LaunchContext
from launch.substitutions import Substitution, perform

SCALARS = (bool, int, float, str)


def evaluate_value(context: LaunchContext, value: Any) -> Any:
    """Return a value as bool, int, float, str or a list of one of them.

    Text and substitutions are read as YAML, as ROS 2 does ('5' becomes 5).

    Raises:
        TypeError: when the value is of no parameter type.
    """
    if _is_text(value):
        return _from_text(perform(context, value))
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return _one_type([evaluate_value(context, item) for item in value])
    raise TypeError(f'a parameter is bool, int, float, text or a list of these, got {type(value).__name__}: {value!r}')


def _is_text(value: Any) -> bool:
    """Whether this is text: a list with a substitution in it is one text, as in ROS 2."""
    if isinstance(value, (str, os.PathLike, Substitution)):
        return True
    return isinstance(value, (list, tuple)) and any(isinstance(item, Substitution) for item in value)


def _from_text(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if isinstance(value, list):
        return _one_type(value)
    return value if isinstance(value, SCALARS) else text


def _one_type(values: list[Any]) -> list[Any]:
    if all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in values):
        return [float(item) for item in values] if any(isinstance(item, float) for item in values) else values
    if len({type(item) for item in values}) > 1:
        raise TypeError(f'a list parameter holds values of one type, got {values!r}')
    return values


def evaluate_dictionary(context: LaunchContext, parameters: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the parameters with names and values evaluated; nested dictionaries stay nested."""
    evaluated: dict[str, Any] = {}
    for name, value in parameters.items():
        key = perform(context, name)
        try:
            is_group = isinstance(value, Mapping)
            evaluated[key] = evaluate_dictionary(context, value) if is_group else evaluate_value(context, value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parameter '{key}': {error}") from error
    return evaluated


def write_parameter_file(node_name: str, parameters: Mapping[str, Any]) -> Path:
    """Write parameters for `node_name` ('/**' for any node) to a new temporary YAML file and return its path."""
    with tempfile.NamedTemporaryFile('w', prefix='launch_params_', suffix='.yaml', delete=False) as file:
        yaml.safe_dump({node_name: {'ros__parameters': dict(parameters)}}, file, default_flow_style=False)
    return Path(file.name)
