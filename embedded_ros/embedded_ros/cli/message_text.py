"""Messages as YAML text, and back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from .errors import CommandError
from .session import import_interface

FLOAT_TYPES = ('float', 'double')


@dataclass(frozen=True)
class TextOptions:
    """How much of a message is shown; `max_length` None shows everything."""

    max_length: int | None = 128
    arrays: bool = True
    strings: bool = True


def to_plain(value: Any, options: TextOptions, type_name: str = '') -> Any:
    """Return a message, or the value of a field of type `type_name`, as dictionaries, lists, numbers and text."""
    if hasattr(value, 'get_fields_and_field_types'):
        types = value.get_fields_and_field_types()
        return {name: to_plain(getattr(value, name), options, kind) for name, kind in types.items()}
    if isinstance(value, str):
        return _text(value, options)
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes) and len(value) == 1:
        return value[0]
    return _array(value, options, type_name)


def _text(value: str, options: TextOptions) -> str:
    if not options.strings:
        return f'<string length: <{len(value)}>>'
    if options.max_length is not None and len(value) > options.max_length:
        return value[: options.max_length] + '...'
    return value


def _array(value: Any, options: TextOptions, type_name: str) -> Any:
    if not options.arrays:
        if type_name.startswith('sequence<'):
            item_type = type_name[len('sequence<') :].rstrip('>').split(',')[0]
            return f'<sequence type: {item_type}, length: {len(value)}>'
        return f'<array type: {type_name}>'
    shown = value if options.max_length is None else value[: options.max_length]
    plain = [to_plain(item, options) for item in (shown.tolist() if hasattr(shown, 'tolist') else shown)]
    return plain if len(shown) == len(value) else [*plain, '...']


def to_yaml(value: Any, options: TextOptions) -> str:
    """Return a message or the value of a field as YAML text without the last end of line."""
    plain = to_plain(value, options)
    if isinstance(plain, (bool, int, float, str)):
        return str(plain)
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=False, width=10**9, allow_unicode=True).rstrip(
        '\n'
    )


def field_of(message: Any, path: str) -> Any:
    """Return the value at a path such as 'header.stamp' or 'poses[0].position'.

    Raises:
        CommandError: naming the part that does not exist.
    """
    value = message
    for part in re.findall(r'[^.\[\]]+', path):
        try:
            value = value[int(part)] if part.isdigit() else getattr(value, part)
        except (AttributeError, IndexError, TypeError) as error:
            raise CommandError(f"Invalid field '{path}': {type(value).__name__} has no '{part}'") from error
    return value


def fill_message(message: Any, values: Any) -> None:
    """Set the fields of a message from a dictionary.

    Raises:
        CommandError: naming a field that does not exist or takes no such value.
    """
    if not isinstance(values, dict):
        raise CommandError(f'expected a dictionary for {type(message).__name__}, got {values!r}')
    types = message.get_fields_and_field_types()
    for name, value in values.items():
        if name not in types:
            raise CommandError(f"{type(message).__name__} has no field '{name}' (it has: {', '.join(types)})")
        current = getattr(message, name)
        if hasattr(current, 'get_fields_and_field_types'):
            fill_message(current, value)
            continue
        try:
            setattr(message, name, _field_value(types[name], value))
        except (AssertionError, TypeError, ValueError) as error:
            raise CommandError(f"field '{name}' of {type(message).__name__}: {error}") from error


def _field_value(type_name: str, value: Any) -> Any:
    item_type = re.sub(r'^sequence<|(, \d+)?>$|\[\d*\]$', '', type_name)
    if isinstance(value, list):
        return [_field_value(item_type, item) for item in value]
    if item_type in FLOAT_TYPES and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if '/' in item_type:
        package, _, name = item_type.partition('/')
        message = import_interface(f'{package}/msg/{name}')()
        fill_message(message, value)
        return message
    return value


def parse_values(text: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        CommandError: when it is no YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CommandError(f'{text!r} is not YAML: {error}') from error
