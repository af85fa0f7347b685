"""Generates message and service classes, and converts messages to and from CDR bytes."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import numpy as np

from embedded_ros.messages.fields import FieldType, field_type
from embedded_ros.messages.store import message_store

PLACEHOLDER = 'structure_needs_at_least_one_member'  # what IDL puts into empty messages

AnyMessage = TypeVar('AnyMessage', bound='Message')


class Message:
    """Base of all generated message classes: keyword constructor, checked fields, equality."""

    __slots__ = ()
    TYPE_NAME = ''
    FIELDS: dict[str, FieldType] = {}  # noqa: RUF012 - replaced, never changed, by the generated classes

    def __init__(self, **values: Any):
        unknown = sorted(set(values) - set(self.FIELDS))
        if unknown:
            raise AssertionError(f'Invalid arguments passed to constructor of {self.TYPE_NAME}: {", ".join(unknown)}')
        for name, field in self.FIELDS.items():
            if name in values:
                setattr(self, name, values[name])
            else:
                setattr(self, '_' + name, field.default())

    @classmethod
    def get_fields_and_field_types(cls) -> dict[str, str]:
        """Return field names and type names, in the order of the definition."""
        return {name: field.label for name, field in cls.FIELDS.items()}

    def to_wire(self) -> Any:
        """Return the rosbags dataclass with the same content."""
        values = [field.to_wire(getattr(self, '_' + name)) for name, field in self.FIELDS.items()]
        return message_store().types[self.TYPE_NAME](*(values or [0]))

    @classmethod
    def from_wire(cls: type[AnyMessage], wire: Any) -> AnyMessage:
        """Return the message with the content of a rosbags dataclass (trusted, so not checked again)."""
        message = cls.__new__(cls)
        for name, field in cls.FIELDS.items():
            setattr(message, '_' + name, field.from_wire(getattr(wire, name)))
        return message

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.FIELDS)
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ', '.join(f'{name}={getattr(self, name)!r}' for name in self.FIELDS)
        return f'{type(self).__module__}.{type(self).__name__}({fields})'


def _field_property(name: str, field: FieldType) -> property:
    slot = '_' + name

    def get(self: Message) -> Any:
        return getattr(self, slot)

    def set_checked(self: Message, value: Any) -> None:
        setattr(self, slot, field.check(value, name))

    return property(get, set_checked)


@functools.cache
def message_class(type_name: str) -> type[Message]:
    """Class of a message type such as 'sensor_msgs/msg/Image' or 'std_srvs/srv/Trigger_Request'."""
    constants, descriptions = message_store().fielddefs[type_name]
    fields = {name: field_type(description, message_class) for name, description in descriptions if name != PLACEHOLDER}
    package, kind, name = type_name.split('/')
    body: dict[str, Any] = {
        '__slots__': tuple('_' + field for field in fields),
        '__module__': f'{package}.{kind}',
        '__doc__': f"Message class '{name}' of package {package}.",
        'TYPE_NAME': type_name,
        'FIELDS': fields,
    }
    body.update({field: _field_property(field, type_) for field, type_ in fields.items()})
    body.update({key: bytes([int(value)]) if kind_ == 'byte' else value for key, kind_, value in constants})
    return type(name, (Message,), body)


@functools.cache
def service_class(type_name: str) -> type:
    """Class of a service type such as 'std_srvs/srv/Trigger', with its Request and Response."""
    package, kind, name = type_name.split('/')
    body = {
        '__module__': f'{package}.{kind}',
        '__doc__': f"Service class '{name}' of package {package}.",
        'TYPE_NAME': type_name,
        'Request': message_class(type_name + '_Request'),
        'Response': message_class(type_name + '_Response'),
    }
    return type(name, (), body)


def interface_classes(package: str, kind: str) -> dict[str, type]:
    """All classes of `<package>.msg` or `<package>.srv`, by name."""
    prefix = f'{package}/{kind}/'
    names = sorted(name for name in message_store().fielddefs if name.startswith(prefix))
    classes: dict[str, type] = {name.removeprefix(prefix): message_class(name) for name in names}
    if kind == 'srv':
        for name in names:
            if name.endswith('_Request'):
                service = name.removesuffix('_Request')
                classes[service.removeprefix(prefix)] = service_class(service)
    return classes


def to_cdr(message: Message) -> memoryview:
    """Serialize a message to little-endian CDR with its 4-byte encapsulation header."""
    return memoryview(message_store().serialize_cdr(message.to_wire(), message.TYPE_NAME))


def from_cdr(data: bytes | memoryview, message_type: type[AnyMessage]) -> AnyMessage:
    """Deserialize CDR bytes."""
    # Of a memoryview rosbags makes no intermediate copy.
    return message_type.from_wire(message_store().deserialize_cdr(memoryview(data), message_type.TYPE_NAME))
