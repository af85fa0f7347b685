"""Field types of messages: default value, check on assignment, name, and conversion to and from rosbags values.

The checks are those of ROS 2's generated setters with ROS_PYTHON_CHECK_FIELDS=1: numpy scalars are refused in scalar
fields, numpy arrays in unbounded sequences. What passes here passes in every ROS distribution.
"""

# ruff: noqa: D102 - the methods are documented once, in FieldType
import array
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

TYPE_CODES = {
    'int8': 'b', 'uint8': 'B', 'char': 'B', 'int16': 'h', 'uint16': 'H', 'int32': 'i', 'uint32': 'I',
    'int64': 'q', 'uint64': 'Q', 'float32': 'f', 'float64': 'd',
}  # fmt: skip
PUBLIC_NAMES = {'float32': 'float', 'float64': 'double', 'byte': 'octet', 'bool': 'boolean', 'char': 'uint8'}
FLOAT32_MAX = float(np.finfo(np.float32).max)


def _require(condition: bool, field: str, expected: str, value: object) -> None:
    if not condition:
        raise AssertionError(f"The '{field}' field must be {expected}, got {type(value).__name__} {value!r:.80}")


class FieldType:
    """One field type; `check` returns the value to store and raises AssertionError for a wrong one."""

    label: str

    def default(self) -> Any:
        """Return a new default value."""
        raise NotImplementedError(f'{type(self).__name__}.default')

    def check(self, value: Any, field: str) -> Any:
        """Check a value assigned to the field with this name."""
        raise NotImplementedError(f'{type(self).__name__}.check')

    def to_wire(self, value: Any) -> Any:
        """Convert a stored value to the value rosbags serializes."""
        return value

    def from_wire(self, value: Any) -> Any:
        """Convert a value deserialized by rosbags to the stored one."""
        return value


class BooleanField(FieldType):
    """A bool."""

    label = 'boolean'

    def default(self) -> bool:
        return False

    def check(self, value: Any, field: str) -> Any:
        _require(isinstance(value, bool), field, "of type 'bool'", value)
        return value


class ByteField(FieldType):
    """A `byte`: bytes of length one."""

    label = 'octet'

    def default(self) -> bytes:
        return b'\x00'

    def check(self, value: Any, field: str) -> Any:
        _require(isinstance(value, (bytes, bytearray)) and len(value) == 1, field, 'bytes of length 1', value)
        return value

    def to_wire(self, value: Any) -> Any:
        return value[0]

    def from_wire(self, value: Any) -> Any:
        return bytes([value])


class StringField(FieldType):
    """A string, possibly with a maximal length."""

    def __init__(self, limit: int):
        self.limit = limit
        self.label = f'string<{limit}>' if limit else 'string'

    def default(self) -> str:
        return ''

    def check(self, value: Any, field: str) -> Any:
        _require(isinstance(value, str), field, "of type 'str'", value)
        _require(not self.limit or len(value) <= self.limit, field, f'at most {self.limit} characters', value)
        return value


class IntegerField(FieldType):
    """An integer within the range of its type."""

    def __init__(self, name: str):
        self.label = PUBLIC_NAMES.get(name, name)
        info = np.iinfo(self.label)
        self.low, self.high = int(info.min), int(info.max)

    def default(self) -> int:
        return 0

    def check(self, value: Any, field: str) -> Any:
        _require(isinstance(value, int), field, "of type 'int' (use int(x))", value)
        _require(self.low <= value <= self.high, field, f'an integer in [{self.low}, {self.high}]', value)
        return value


class FloatField(FieldType):
    """A float; float32 is limited to its range."""

    def __init__(self, name: str):
        self.label = PUBLIC_NAMES[name]
        self.limit = FLOAT32_MAX if name == 'float32' else math.inf

    def default(self) -> float:
        return 0.0

    def check(self, value: Any, field: str) -> Any:
        _require(isinstance(value, float), field, "of type 'float' (use float(x))", value)
        _require(not abs(value) > self.limit or math.isinf(value), field, 'a float32', value)
        return value


class NestedField(FieldType):
    """A sub-message."""

    def __init__(self, type_name: str, message_class: Callable[[str], Any]):
        self.type_name = type_name
        self.label = type_name.replace('/msg/', '/')
        self._class = message_class

    def default(self) -> Any:
        return self._class(self.type_name)()

    def check(self, value: Any, field: str) -> Any:
        expected = self._class(self.type_name)
        _require(isinstance(value, expected), field, f"a sub message of type '{expected.__name__}'", value)
        return value

    def to_wire(self, value: Any) -> Any:
        return value.to_wire()

    def from_wire(self, value: Any) -> Any:
        return self._class(self.type_name).from_wire(value)


class NumericArrayField(FieldType):
    """A fixed number of numbers: a numpy array."""

    def __init__(self, name: str, length: int):
        self.dtype = np.dtype(TYPE_CODES[name])
        self.item = number_field(name)
        self.length = length
        self.label = f'{self.item.label}[{length}]'

    def default(self) -> np.ndarray:
        return np.zeros(self.length, self.dtype)

    def check(self, value: Any, field: str) -> Any:
        if isinstance(value, np.ndarray):
            _require(value.dtype == self.dtype, field, f'a numpy array of dtype {self.dtype}', value)
            _require(value.size == self.length, field, f'a numpy array of size {self.length}', value)
            return value
        _require(hasattr(value, '__iter__') and not isinstance(value, str), field, f'{self.length} numbers', value)
        _require(len(value) == self.length, field, f'{self.length} numbers', value)
        return np.array([self.item.check(entry, field) for entry in value], self.dtype)

    def to_wire(self, value: Any) -> Any:
        return np.ascontiguousarray(value).reshape(-1)

    def from_wire(self, value: Any) -> Any:
        return np.array(value)


class NumericSequenceField(FieldType):
    """Any number of numbers: an array.array."""

    def __init__(self, name: str, limit: int):
        self.code = TYPE_CODES[name]
        self.item = number_field(name)
        self.limit = limit
        self.label = f'sequence<{self.item.label}, {limit}>' if limit else f'sequence<{self.item.label}>'

    def default(self) -> array.array:
        return array.array(self.code)

    def check(self, value: Any, field: str) -> Any:
        if isinstance(value, array.array):
            _require(value.typecode == self.code, field, f"an array.array of type code '{self.code}'", value)
            result = value
        elif isinstance(value, (bytes, bytearray, memoryview)) and self.code in 'bB':
            result = array.array(self.code)
            result.frombytes(value)
        else:
            numbers = isinstance(value, (list, tuple, set, range))
            _require(numbers, field, f"an array.array('{self.code}') or a list of numbers", value)
            result = array.array(self.code, [self.item.check(entry, field) for entry in value])
        _require(not self.limit or len(result) <= self.limit, field, f'at most {self.limit} numbers', value)
        return result

    def to_wire(self, value: Any) -> Any:
        return np.frombuffer(value, self.code) if len(value) else np.empty(0, self.code)

    def from_wire(self, value: Any) -> Any:
        result = array.array(self.code)
        result.frombytes(np.ascontiguousarray(value).view(np.uint8).data)
        return result


class ListField(FieldType):
    """A list of strings, bools, bytes or messages; `length` entries, or at most `limit` (0: any number)."""

    def __init__(self, item: FieldType, length: int, limit: int):
        self.item, self.length, self.limit = item, length, limit
        bound = f', {limit}' if limit else ''
        self.label = f'{item.label}[{length}]' if length else f'sequence<{item.label}{bound}>'

    def default(self) -> list[Any]:
        return [self.item.default() for _ in range(self.length)]

    def check(self, value: Any, field: str) -> Any:
        _require(isinstance(value, (list, tuple)), field, f'a list ({self.label})', value)
        _require(not self.length or len(value) == self.length, field, f'{self.length} entries', value)
        _require(not self.limit or len(value) <= self.limit, field, f'at most {self.limit} entries', value)
        return [self.item.check(entry, field) for entry in value]

    def to_wire(self, value: Any) -> Any:
        entries = [self.item.to_wire(entry) for entry in value]
        if isinstance(self.item, BooleanField):
            return np.array(entries, bool)
        return np.array(entries, np.uint8) if isinstance(self.item, ByteField) else entries

    def from_wire(self, value: Any) -> Any:
        entries = value.tolist() if isinstance(value, np.ndarray) else value
        return [self.item.from_wire(entry) for entry in entries]


def number_field(name: str) -> FieldType:
    """Field type of a single number."""
    return FloatField(name) if name.startswith('float') else IntegerField(name)


def field_type(description: Any, message_class: Callable[[str], Any]) -> FieldType:
    """Field type for rosbags' description of a field; `message_class` looks up sub-messages by name."""
    kind, argument = Nodetype(description[0]), description[1]
    if kind is Nodetype.NAME:
        return NestedField(argument, message_class)
    if kind is Nodetype.BASE:
        name, limit = argument
        simple: dict[str, FieldType] = {'bool': BooleanField(), 'byte': ByteField(), 'string': StringField(limit)}
        if name in simple:
            return simple[name]
        if name not in TYPE_CODES:
            raise NotImplementedError(f'embedded_ros: message fields of type {name}')
        return number_field(name)
    item, count = argument
    if Nodetype(item[0]) is Nodetype.BASE and item[1][0] in TYPE_CODES:
        name = item[1][0]
        return NumericArrayField(name, count) if kind is Nodetype.ARRAY else NumericSequenceField(name, count)
    entry = field_type(item, message_class)
    return ListField(entry, count, 0) if kind is Nodetype.ARRAY else ListField(entry, 0, count)
