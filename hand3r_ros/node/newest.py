"""Buffer of messages that wait for others of the same stamp: the newest few, by stamp."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

KEPT = 20
"""Messages of a topic that may wait."""

Value = TypeVar('Value')


class Newest(Generic[Value]):
    """The newest few values by stamp."""

    def __init__(self, capacity: int = KEPT) -> None:
        self._capacity = capacity
        self._values: OrderedDict[int, Value] = OrderedDict()

    def add(self, stamp_ns: int, value: Value) -> None:
        """Remember a value, forget the oldest ones."""
        self._values[stamp_ns] = value
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def get(self, stamp_ns: int) -> Value | None:
        """The value of a stamp, None when it did not come or is forgotten."""
        return self._values.get(stamp_ns)
