"""Values of a launch file that are known only when it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import safe_expression
from .absent import absent

if TYPE_CHECKING:
    from .launch_context import LaunchContext

__all__ = [
    'AndSubstitution',
    'EnvironmentVariable',
    'EqualsSubstitution',
    'FindExecutable',
    'IfElseSubstitution',
    'LaunchConfiguration',
    'NotEqualsSubstitution',
    'NotSubstitution',
    'OrSubstitution',
    'PathJoinSubstitution',
    'PythonExpression',
    'SubstitutionFailure',
    'TextSubstitution',
    'ThisLaunchFile',
    'ThisLaunchFileDir',
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


def is_true(text: str, meaning: str) -> bool:
    """Return the truth of 'true', '1', 'false' or '0' in any case.

    Raises:
        SubstitutionFailure: for any other text, naming `meaning`.
    """
    word = text.strip().lower()
    if word not in ('true', '1', 'false', '0'):
        raise SubstitutionFailure(f"{meaning}: expected 'true', 'false', '1' or '0', got {text!r}")
    return word in ('true', '1')


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


class EnvironmentVariable(Substitution):
    """The value of an environment variable, as child processes will see it."""

    def __init__(self, name: SomeSubstitutionsType, *, default_value: SomeSubstitutionsType | None = None) -> None:
        self.name = name
        self.default_value = default_value

    def perform(self, context: LaunchContext) -> str:
        """Return the value.

        Raises:
            SubstitutionFailure: when it is not set and has no default.
        """
        name = perform(context, self.name)
        if name in context.environment:
            return context.environment[name]
        if self.default_value is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform(context, self.default_value)


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


class PythonExpression(Substitution):
    """The text of the value of a Python expression of literals, comparisons, boolean and arithmetic operators.

    Unlike ROS 2, which calls eval, nothing else (calls, attributes, modules) is evaluated.
    """

    def __init__(self, expression: SomeSubstitutionsType, python_modules: Sequence[str] = ()) -> None:
        if list(python_modules):
            raise NotImplementedError('launch.substitutions.PythonExpression: python_modules')
        self.expression = expression

    def perform(self, context: LaunchContext) -> str:
        """Return the value as text.

        Raises:
            SubstitutionFailure: when the expression is wrong or uses something that is not allowed.
        """
        text = perform(context, self.expression)
        try:
            return str(safe_expression.evaluate(text))
        except (ValueError, TypeError, SyntaxError, ArithmeticError, LookupError) as error:
            raise SubstitutionFailure(f'PythonExpression {text!r}: {error}') from error


class ThisLaunchFile(Substitution):
    """The path of the launch file that is being read."""

    def perform(self, context: LaunchContext) -> str:
        """Return the absolute path.

        Raises:
            SubstitutionFailure: when no launch file is being read.
        """
        if context.launch_file is None:
            raise SubstitutionFailure(f'{type(self).__name__} used outside of a launch file')
        return context.launch_file


class ThisLaunchFileDir(ThisLaunchFile):
    """The folder of the launch file that is being read."""

    def perform(self, context: LaunchContext) -> str:
        """Return the absolute path of the folder."""
        return str(Path(super().perform(context)).parent)


class FindExecutable(Substitution):
    """The path of a program on PATH."""

    def __init__(self, *, name: SomeSubstitutionsType) -> None:
        self.name = name

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: when there is no such program.
        """
        name = perform(context, self.name)
        found = shutil.which(name, path=context.environment.get('PATH'))
        if found is None:
            raise SubstitutionFailure(f"executable '{name}' not found on the PATH")
        return found


class NotSubstitution(Substitution):
    """'true' where the value is false."""

    def __init__(self, value: SomeSubstitutionsType) -> None:
        self.value = value

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return str(not is_true(perform(context, self.value), 'NotSubstitution')).lower()


class AndSubstitution(Substitution):
    """'true' where both values are true."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        self.operands = (left, right)

    def _truths(self, context: LaunchContext) -> list[bool]:
        return [is_true(perform(context, operand), type(self).__name__) for operand in self.operands]

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return str(all(self._truths(context))).lower()


class OrSubstitution(AndSubstitution):
    """'true' where at least one value is true."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return str(any(self._truths(context))).lower()


class EqualsSubstitution(Substitution):
    """'true' where both texts are equal."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        self.operands = (left, right)

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        left, right = (perform(context, operand) for operand in self.operands)
        return str(left == right).lower()


class NotEqualsSubstitution(EqualsSubstitution):
    """'true' where the texts differ."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return 'false' if super().perform(context) == 'true' else 'true'


class IfElseSubstitution(Substitution):
    """One of two values, by a condition."""

    def __init__(
        self,
        condition: SomeSubstitutionsType,
        if_value: SomeSubstitutionsType = '',
        else_value: SomeSubstitutionsType = '',
    ) -> None:
        self.condition, self.if_value, self.else_value = condition, if_value, else_value

    def perform(self, context: LaunchContext) -> str:
        """Return the chosen value."""
        chosen = is_true(perform(context, self.condition), 'IfElseSubstitution')
        return perform(context, self.if_value if chosen else self.else_value)


__getattr__ = absent(
    __name__,
    'AllSubstitution AnonName AnySubstitution BooleanExpression Command FileContent ForLoopIndex '
    'LaunchLogDir LocalSubstitution PathSubstitution StrJoinSubstitution SubstitutionFailureError',
)
