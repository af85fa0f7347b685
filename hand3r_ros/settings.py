"""Settings as fields of frozen dataclasses: ``setting`` declares a default, a range and a description once.

The configuration of the reconstruction is declared so, and whatever else names one of its settings (a parameter of the
node, an option of a command, a page of the documentation) reads the declaration.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

Config = TypeVar('Config')


@dataclass(frozen=True)
class Setting:
    """Everything that is known about one setting except its name."""

    default: Any  # bool, int, float, str, tuple; None for a path that is looked for
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    length: int | None = None  # number of elements of a tuple
    form: str = ''  # what a value looks like that neither range nor choices describe
    has_form: Callable[[Any], bool] | None = None

    @property
    def expected(self) -> str:
        """What a value has to be, for the text of an error."""
        if self.form:
            return self.form
        if self.choices:
            return f'one of {", ".join(self.choices)}'
        if self.minimum is not None and self.maximum is not None:
            kind = ' (a whole number)' if type(self.default) is int else ''
            return f'within {self.minimum:g} and {self.maximum:g}{kind}'
        return 'true or false' if isinstance(self.default, bool) else f'of type {type(self.default).__name__}'

    def allows(self, value: Any) -> bool:
        """Whether the setting can have this value."""
        if self.has_form is not None:
            return self.has_form(value)
        if self.choices:
            return value in self.choices
        if isinstance(self.default, bool):
            return isinstance(value, bool)
        if isinstance(self.default, int | float):
            kinds = int if isinstance(self.default, int) else (int, float)
            return isinstance(value, kinds) and not isinstance(value, bool) and self.in_range(value)
        return self.default is None or isinstance(value, type(self.default))

    def in_range(self, value: float) -> bool:
        """Whether a number is finite and within the range, both ends included."""
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        return math.isfinite(value) and low <= value <= high


def setting(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    length: int | None = None,
    form: str = '',
    has_form: Callable[[Any], bool] | None = None,
) -> Any:
    """A field of a configuration with its default, description and range or choices."""
    declared = Setting(default, description, minimum, maximum, choices, length, form, has_form)
    return dataclasses.field(default=default, metadata={'setting': declared})


def settings_of(config_class: type, prefix: str = '') -> Iterator[tuple[str, Setting]]:
    """All settings of a configuration with their full names; those of a nested one have its name and a dot before."""
    types = get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        name = f'{prefix}{field.name}'
        if dataclasses.is_dataclass(types[field.name]):
            yield from settings_of(types[field.name], f'{name}.')
        elif 'setting' in field.metadata:
            yield name, field.metadata['setting']


def check_settings(config: Any, group: str = '') -> None:
    """For ``__post_init__``: raises ValueError that names the field, what it must be and what was found.

    Args:
        config: instance of a dataclass whose fields were made by ``setting``.
        group: name of the configuration in the one that it is part of.

    """
    for field in dataclasses.fields(config):
        declared = field.metadata.get('setting')
        value = getattr(config, field.name)
        if declared is not None and not declared.allows(value):
            name = f'{group}.{field.name}' if group else field.name
            raise ValueError(f'{name} must be {declared.expected}, got {value!r}')


def config_from(config_class: type[Config], values: Mapping[str, Any], prefix: str = '') -> Config:
    """The configuration with these values by full name; what is missing keeps its default."""
    types = get_type_hints(config_class)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(config_class):  # type: ignore[arg-type]
        name = f'{prefix}{field.name}'
        if dataclasses.is_dataclass(types[field.name]):
            arguments[field.name] = config_from(types[field.name], values, f'{name}.')
        elif name in values:
            arguments[field.name] = values[name]
    return config_class(**arguments)
