"""Decorators for test classes and test descriptions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar('T', bound=type)
POST_SHUTDOWN = '__post_shutdown_test__'
PARAMETERS = '__parametrized__'


def post_shutdown_test() -> Callable[[T], T]:
    """Mark a TestCase class whose tests run after all processes ended."""

    def mark(test_class: T) -> T:
        setattr(test_class, POST_SHUTDOWN, True)
        return test_class

    return mark


def parametrize(names: str | Sequence[str], values: Iterable[Any]) -> Callable[[Callable], Callable]:
    """Run the module once for each of `values`, passed to generate_test_description and the tests by name."""
    keys = [name.strip() for name in names.split(',')] if isinstance(names, str) else list(names)
    sets = [dict(zip(keys, value if len(keys) > 1 else (value,), strict=True)) for value in values]

    def mark(function: Callable) -> Callable:
        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        setattr(generate, PARAMETERS, sets)
        return generate

    return mark
