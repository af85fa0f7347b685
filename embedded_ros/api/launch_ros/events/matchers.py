"""Matchers that choose nodes."""

from collections.abc import Callable
from typing import Any


def matches_node_name(node_name: str) -> Callable[[Any], bool]:
    """Return a matcher that accepts the node with this fully qualified name."""
    wanted = '/' + node_name.lstrip('/')
    return lambda action: getattr(action, 'node_name', None) == wanted
