"""Conditions under which an action runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .launch_description import Condition
from .substitutions import SomeSubstitutionsType, SubstitutionFailure, is_true, perform

if TYPE_CHECKING:
    from .launch_context import LaunchContext

__all__ = [
    'IfCondition',
    'InvalidConditionExpressionError',
    'LaunchConfigurationEquals',
    'LaunchConfigurationNotEquals',
    'UnlessCondition',
    'evaluate_condition_expression',
]


class InvalidConditionExpressionError(Exception):
    """The text of a condition is neither true nor false."""


def evaluate_condition_expression(context: LaunchContext, expression: SomeSubstitutionsType) -> bool:
    """Return the truth of 'true', '1', 'false' or '0'.

    Raises:
        InvalidConditionExpressionError: for any other text.
    """
    try:
        return is_true(perform(context, expression), 'condition')
    except SubstitutionFailure as error:
        raise InvalidConditionExpressionError(str(error)) from error


class IfCondition(Condition):
    """True where the expression is true."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        super().__init__(predicate=lambda context: evaluate_condition_expression(context, predicate_expression))


class UnlessCondition(Condition):
    """True where the expression is false."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        super().__init__(predicate=lambda context: not evaluate_condition_expression(context, predicate_expression))


class LaunchConfigurationEquals(Condition):
    """True where a launch configuration has the expected value; None expects it not to be set."""

    def __init__(self, launch_configuration_name: str, expected_value: SomeSubstitutionsType | None) -> None:
        def equals(context: LaunchContext) -> bool:
            expected = None if expected_value is None else perform(context, expected_value)
            return context.launch_configurations.get(launch_configuration_name) == expected

        super().__init__(predicate=equals)


class LaunchConfigurationNotEquals(Condition):
    """True where a launch configuration has another value than the given one."""

    def __init__(self, launch_configuration_name: str, expected_value: SomeSubstitutionsType | None) -> None:
        equals = LaunchConfigurationEquals(launch_configuration_name, expected_value)
        super().__init__(predicate=lambda context: not equals.evaluate(context))
