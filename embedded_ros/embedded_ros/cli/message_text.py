"""Messages as YAML text, and back."""

from __future__ import annotations

import re
from typing import Any

import yaml

from .errors import CommandError
from .session import import_interface

FLOAT_TYPES = ('float', 'double')
SHOWN_LENGTH = 128  # of arrays and texts


def to_plain(value: Any, full_length: bool) -> Any:
    """Return a message, or the value of a field, as dictionaries, lists, numbers and text."""
    if hasattr(value, 'get_fields_and_field_types'):
        return {name: to_plain(getattr(value, name), full_length) for name in value.get_fields_and_field_types()}
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes) and len(value) == 1:
        return value[0]
    cut = not full_length and len(value) > SHOWN_LENGTH
    shown = value[:SHOWN_LENGTH] if cut else value
    if isinstance(value, str):
        return shown + '...' if cut else shown
    plain = [to_plain(item, full_length) for item in (shown.tolist() if hasattr(shown, 'tolist') else shown)]
    return [*plain, '...'] if cut else plain


def to_yaml(message: Any, full_length: bool = False) -> str:
    """Return a message as YAML text without the last end of line; long arrays and texts are cut unless told not to."""
    plain = to_plain(message, full_length)
    text = yaml.safe_dump(plain, sort_keys=False, default_flow_style=False, width=10**9, allow_unicode=True)
    return text.rstrip('\n')


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
