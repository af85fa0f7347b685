"""Parameters: named, typed values of nodes."""

from __future__ import annotations

import array
from enum import IntEnum
from typing import Any, TypeAlias

import yaml

PARAMETER_SEPARATOR_STRING = '.'


class _Type(IntEnum):
    """Type of a value, numbered as in rcl_interfaces/ParameterType."""

    NOT_SET = 0
    BOOL = 1
    INTEGER = 2
    DOUBLE = 3
    STRING = 4
    BYTE_ARRAY = 5
    BOOL_ARRAY = 6
    INTEGER_ARRAY = 7
    DOUBLE_ARRAY = 8
    STRING_ARRAY = 9

    @property
    def is_array(self) -> bool:
        """Whether values are lists."""
        return self >= _Type.BYTE_ARRAY

    @classmethod
    def from_parameter_value(cls, parameter_value: Any) -> _Type:
        """Type of a Python value; an empty list counts as BYTE_ARRAY. TypeError where it has none."""
        if parameter_value is None:
            return cls.NOT_SET
        for python_type, kind in SCALARS.items():
            if type(parameter_value) is python_type:
                return kind
        if isinstance(parameter_value, (list, tuple, array.array)):
            for python_type, kind in LISTS.items():
                if all(type(entry) is python_type for entry in parameter_value):
                    return kind
        raise TypeError(f'{parameter_value!r:.80} (a {type(parameter_value).__name__}) cannot be a parameter')

    def check(self, parameter_value: Any) -> bool:
        """Return whether a value has this type; an empty list has every list type."""
        if self.is_array and isinstance(parameter_value, (list, tuple, array.array)) and len(parameter_value) == 0:
            return True
        try:
            return _Type.from_parameter_value(parameter_value) is self
        except TypeError:
            return False


SCALARS: dict[type, _Type] = {bool: _Type.BOOL, int: _Type.INTEGER, float: _Type.DOUBLE, str: _Type.STRING}
LISTS: dict[type, _Type] = {
    bytes: _Type.BYTE_ARRAY,
    bool: _Type.BOOL_ARRAY,
    int: _Type.INTEGER_ARRAY,
    float: _Type.DOUBLE_ARRAY,
    str: _Type.STRING_ARRAY,
}


def _value_field(kind: _Type) -> str:
    """INTEGER_ARRAY -> 'integer_array_value', the field of rcl_interfaces/ParameterValue."""
    return kind.name.lower() + '_value'


class Parameter:
    """A name, a type and a value; the type is inferred where it is not given."""

    Type: TypeAlias = _Type

    def __init__(self, name: str, type_: _Type | None = None, value: Any = None):
        if type_ is None:
            type_ = _Type.from_parameter_value(value)
        if not isinstance(type_, _Type):
            raise TypeError("type must be an instance of 'Parameter.Type'")
        if not type_.check(value):
            raise ValueError(f"Type '{type_.name}' and value '{value}' do not agree")
        self._name, self._type, self._value = name, type_, value

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def type_(self) -> _Type:
        """The type."""
        return self._type

    @property
    def value(self) -> Any:
        """The value."""
        return self._value

    def get_parameter_value(self) -> Any:
        """Return the value as rcl_interfaces/ParameterValue."""
        from rcl_interfaces.msg import ParameterValue

        message = ParameterValue(type=int(self._type))
        if self._type is not _Type.NOT_SET:
            value = list(self._value) if self._type.is_array else self._value
            setattr(message, _value_field(self._type), value)
        return message

    def to_parameter_msg(self) -> Any:
        """Return the parameter as rcl_interfaces/Parameter."""
        from rcl_interfaces.msg import Parameter as ParameterMessage

        return ParameterMessage(name=self._name, value=self.get_parameter_value())

    @classmethod
    def from_parameter_msg(cls, param_msg: Any) -> Parameter:
        """Create from rcl_interfaces/Parameter."""
        return cls(param_msg.name, _Type(param_msg.value.type), parameter_value_to_python(param_msg.value))

    def __repr__(self) -> str:
        return f'Parameter(name={self._name!r}, type_={self._type.name}, value={self._value!r})'


def parameter_value_to_python(parameter_value: Any) -> Any:
    """Python value of a rcl_interfaces/ParameterValue; RuntimeError for an unknown type."""
    try:
        kind = _Type(parameter_value.type)
    except ValueError:
        raise RuntimeError(f'unexpected parameter type {parameter_value.type}') from None
    if kind is _Type.NOT_SET:
        return None
    value = getattr(parameter_value, _value_field(kind))
    return list(value) if kind.is_array else value


def get_parameter_value(string_value: str) -> Any:
    """ParameterValue of a text such as '2.5' or '[1, 2]', read as YAML; text that fits nothing stays a string."""
    try:
        value = yaml.safe_load(string_value)
        return Parameter('', value=string_value if value is None else value).get_parameter_value()
    except Exception:  # not YAML, or YAML that is no parameter value
        return Parameter('', value=string_value).get_parameter_value()
