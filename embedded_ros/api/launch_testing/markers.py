"""Markers for test descriptions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .util import KeepAliveProc

__all__ = ['keep_alive']


def keep_alive(function: Callable) -> Callable:
    """Keep the launch of a test description alive until its tests are done."""

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        description = result[0] if isinstance(result, tuple) else result
        description.entities.insert(0, KeepAliveProc())
        return result

    return generate
