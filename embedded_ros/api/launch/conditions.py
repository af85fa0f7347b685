"""Conditions under which an action runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .absent import absent
from .launch_description import Condition
from .substitutions import SomeSubstitutionsType, perform

if TYPE_CHECKING:
    from .launch_context import LaunchContext

__all__ = [
    'IfCondition',
    'InvalidConditionExpressionError',
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
    text = perform(context, expression)
    word = text.strip().lower()
    if word not in ('true', '1', 'false', '0'):
        raise InvalidConditionExpressionError(f"condition: expected 'true', 'false', '1' or '0', got {text!r}")
    return word in ('true', '1')


class IfCondition(Condition):
    """True where the expression is true."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        super().__init__(predicate=lambda context: evaluate_condition_expression(context, predicate_expression))


class UnlessCondition(Condition):
    """True where the expression is false."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        super().__init__(predicate=lambda context: not evaluate_condition_expression(context, predicate_expression))


__getattr__ = absent(__name__, 'LaunchConfigurationEquals LaunchConfigurationNotEquals')
