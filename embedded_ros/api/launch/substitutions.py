"""Values of a launch file that are known only when it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .absent import absent

if TYPE_CHECKING:
    from .launch_context import LaunchContext

__all__ = [
    'LaunchConfiguration',
    'PathJoinSubstitution',
    'SubstitutionFailure',
    'TextSubstitution',
]


class SubstitutionFailure(Exception):  # noqa: N818 (name given by ROS 2)
    """A substitution has no value in this context."""


class Substitution:
    """A text that depends on the launch context."""

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        raise NotImplementedError(f'{type(self).__name__}.perform')

    def describe(self) -> str:
        """Return a short text for people."""
        return f'{type(self).__name__}()'


SomeSubstitutionsType = str | os.PathLike | Substitution | Iterable[str | os.PathLike | Substitution]


class TextSubstitution(Substitution):
    """A fixed text."""

    def __init__(self, *, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f'TextSubstitution expected text, got {type(text).__name__}: {text!r}')
        self.text = text

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        return self.text

    def describe(self) -> str:
        """Return the quoted text."""
        return repr(self.text)


def normalize_to_list_of_substitutions(value: Any) -> list[Substitution]:
    """Return text, a path, a substitution or a list of these as a list of substitutions.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(value, Substitution):
        return [value]
    if isinstance(value, (str, os.PathLike)):
        return [TextSubstitution(text=os.fspath(value))]
    if isinstance(value, Iterable):
        return [substitution for part in value for substitution in normalize_to_list_of_substitutions(part)]
    raise TypeError(f'expected text, a path, a Substitution or a list of these, got {type(value).__name__}: {value!r}')


def perform_substitutions(context: LaunchContext, substitutions: Iterable[Substitution]) -> str:
    """Return the texts of `substitutions` joined."""
    return ''.join(substitution.perform(context) for substitution in substitutions)


def perform(context: LaunchContext, value: Any) -> str:
    """Return the text of anything that normalize_to_list_of_substitutions takes."""
    return perform_substitutions(context, normalize_to_list_of_substitutions(value))


def describe(value: Any) -> str:
    """Return a short text for people about anything that normalize_to_list_of_substitutions takes."""
    return ' + '.join(substitution.describe() for substitution in normalize_to_list_of_substitutions(value))


class LaunchConfiguration(Substitution):
    """The value of a launch argument or configuration."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        self.variable_name = normalize_to_list_of_substitutions(variable_name)
        self.default = default

    def perform(self, context: LaunchContext) -> str:
        """Return the value.

        Raises:
            SubstitutionFailure: when it is not set and has no default.
        """
        name = perform_substitutions(context, self.variable_name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self.default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return str(self.default) if isinstance(self.default, (bool, int, float)) else perform(context, self.default)

    def describe(self) -> str:
        """Return the name of the configuration."""
        return f'LaunchConfig({describe(self.variable_name)})'


class PathJoinSubstitution(Substitution):
    """Parts of a path, each text or substitutions, joined with the separator."""

    def __init__(self, substitutions: Iterable[SomeSubstitutionsType]) -> None:
        self.substitutions = list(substitutions)

    def describe(self) -> str:
        """Return the parts."""
        return f'PathJoin({", ".join(describe(part) for part in self.substitutions)})'

    def perform(self, context: LaunchContext) -> str:
        """Return the path."""
        return str(Path(*[perform(context, part) for part in self.substitutions]))


__getattr__ = absent(
    __name__,
    'AllSubstitution AndSubstitution AnonName AnySubstitution BooleanExpression Command EnvironmentVariable '
    'EqualsSubstitution FileContent FindExecutable ForLoopIndex IfElseSubstitution LaunchLogDir LocalSubstitution '
    'NotEqualsSubstitution NotSubstitution OrSubstitution PathSubstitution PythonExpression StrJoinSubstitution '
    'SubstitutionFailureError ThisLaunchFile ThisLaunchFileDir',
)
