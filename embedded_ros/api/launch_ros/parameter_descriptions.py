"""Parameters of nodes: with a type of their own, or in files."""

from __future__ import annotations

import os
from typing import Any

from launch.launch_context import LaunchContext
from launch.substitutions import SomeSubstitutionsType, Substitution, perform

from .parameter_values import evaluate_value

__all__ = ['Parameter', 'ParameterFile', 'ParameterValue']


class ParameterValue:
    """A value whose text is read as `value_type` (bool, int, float, str, list[...]); None reads it as YAML."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value = value
        self.value_type = value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the value.

        Raises:
            ValueError: when the text is not of the type.
        """
        return evaluate_value(context, self.value, self.value_type)


class Parameter:
    """One named parameter."""

    def __init__(
        self, name: SomeSubstitutionsType, value: Any, *, value_type: Any = None, description: str | None = None
    ) -> None:
        self.name = name
        self.value = ParameterValue(value, value_type=value_type)


class ParameterFile:
    """A YAML file of parameters."""

    def __init__(
        self, param_file: str | os.PathLike | Substitution | list, *, allow_substs: bool | SomeSubstitutionsType = False
    ) -> None:
        if allow_substs is not False:
            raise NotImplementedError('launch_ros.parameter_descriptions.ParameterFile: allow_substs')
        self.param_file = param_file

    def evaluate(self, context: LaunchContext) -> str:
        """Return the path."""
        return perform(context, self.param_file)
