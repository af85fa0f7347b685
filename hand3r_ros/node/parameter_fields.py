"""Parameters as dataclass fields: one declaration of default, description, range and time of change.

A parameter is the node's own (``parameter``) or stands for a setting declared below the node (``parameter_of``).
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from hand3r_ros.node.names import shortened
from hand3r_ros.settings import Setting, settings_of

Value = bool | int | float | str | tuple[float, ...] | tuple[str, ...]
Group = TypeVar('Group')

LONGEST_PATH = 4000  # bytes; Linux takes 4095


class Changes(Enum):
    """When a parameter may be changed."""

    NEVER = 'read only: set it when the node is started'
    UNCONFIGURED = 'takes effect at configure: can be changed while the node is unconfigured'
    ANY_TIME = 'can be changed at any time'


class ParameterError(ValueError):
    """A value that a parameter cannot have; the message names the parameter, the value and what is allowed."""


@dataclass(frozen=True)
class StandsFor:
    """The setting that a parameter gives a value to."""

    config: type
    name: str


@dataclass(frozen=True)
class ParameterSpec:
    """Everything that is known about one parameter."""

    name: str
    type: type  # bool, int, float, str or tuple
    setting: Setting
    changes: Changes
    is_path: bool = False  # of a file or folder, with ~ for the home folder
    texts: bool = False  # a tuple of texts, not of numbers
    tidy: Callable[[Any], Value] | None = None  # how a value is taken that may be written in several ways
    stands_for: StandsFor | None = None  # None: it is the node's own

    @property
    def default(self) -> Value:
        """The value of a parameter that nobody set; an empty text for a path that is looked for."""
        return '' if self.setting.default is None else cast(Value, self.setting.default)

    @property
    def description(self) -> str:
        """What the parameter means, without range and choices."""
        return self.setting.description

    @property
    def choices(self) -> tuple[str, ...]:
        """Texts that are allowed; empty: any."""
        return self.setting.choices

    @property
    def minimum(self) -> float | None:
        """Lowest number."""
        return self.setting.minimum

    @property
    def maximum(self) -> float | None:
        """Highest number."""
        return self.setting.maximum

    @property
    def explanation(self) -> str:
        """The description, and the choices where it does not name them."""
        named = all(choice in self.description for choice in self.choices)
        return self.description if named else f'{self.description} ({", ".join(self.choices)})'

    @property
    def allowed(self) -> str:
        """Range or choices as text; empty where everything of the type is allowed."""
        if self.choices:
            return ', '.join(self.choices)
        if self.minimum is None or self.maximum is None:
            return ''
        return f'{self.minimum:.10g} to {self.maximum:.10g}'

    def check(self, value: Any) -> Value:
        """Give ``value`` as the type of this parameter; raises :class:`ParameterError` when it cannot be."""
        if self.type is tuple:
            return self._check_tuple(value)
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.type:
            raise ParameterError(f'{self.name}: {shortened(repr(value))} is not of type {self.type.__name__}')
        if self.choices and value not in self.choices:
            raise ParameterError(f"{self.name}: '{shortened(str(value))}' is not one of {', '.join(self.choices)}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._check_range(value)
        if self.is_path:
            self._check_path(str(value))
        return cast(Value, value) if self.tidy is None else self.tidy(value)

    def _check_path(self, text: str) -> None:
        """Refuse what no file system has, before anything is looked for there."""
        shown = f"'{shortened(text)}'"
        if not text.isprintable():
            raise ParameterError(f'{self.name}: {shortened(repr(text))} holds characters that cannot be printed')
        if len(os.fsencode(text)) > LONGEST_PATH or any(len(os.fsencode(name)) > 255 for name in text.split('/')):
            raise ParameterError(f'{self.name}: {shown} is too long for a path')
        try:
            Path(text).expanduser()
        except RuntimeError as error:
            raise ParameterError(f'{self.name}: {shown} begins with the home folder of an unknown user') from error

    def _check_tuple(self, value: Any) -> tuple[float, ...] | tuple[str, ...]:
        if self.texts:
            if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
                raise ParameterError(f'{self.name}: {shortened(repr(value))} is not a list of texts')
            return tuple(value)
        numbers = tuple(float(number) for number in value)
        length = self.setting.length
        if length is not None and len(numbers) != length:
            raise ParameterError(f'{self.name}: needs {length} numbers, got {len(numbers)}')
        if not all(math.isfinite(number) for number in numbers):
            raise ParameterError(f'{self.name}: {list(numbers)} holds values that are not finite')
        return numbers

    def _check_range(self, value: float) -> None:
        if not self.setting.in_range(value):
            low = -math.inf if self.minimum is None else self.minimum
            high = math.inf if self.maximum is None else self.maximum
            raise ParameterError(f'{self.name}: {value} is outside {low:g} to {high:g}')


def parameter(
    default: Any,
    description: str,
    changes: Changes = Changes.ANY_TIME,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    length: int | None = None,
    is_path: bool = False,
    tidy: Callable[[Any], Value] | None = None,
) -> Any:
    """A dataclass field that is a parameter of the node's own."""
    declared = Setting(default, description, minimum, maximum, choices, length)
    metadata = {'setting': declared, 'changes': changes, 'is_path': is_path, 'tidy': tidy}
    return dataclasses.field(default=default, metadata=metadata)


def parameter_of(config_class: type, name: str, changes: Changes = Changes.ANY_TIME) -> Any:
    """A dataclass field that is a parameter and gives a value to a setting: default, range and description are its.

    Args:
        config_class: configuration whose fields were made by ``hand3r_ros.settings.setting``.
        name: full name of the setting in it, such as 'map.voxel_size'.
        changes: when the parameter may be changed.

    """
    declared = dict(settings_of(config_class))[name]
    is_path = declared.default is None
    metadata = {
        'setting': declared,
        'changes': changes,
        'is_path': is_path,
        'stands_for': StandsFor(config_class, name),
    }
    return dataclasses.field(default='' if is_path else declared.default, metadata=metadata)


def specs_of(group_class: type, prefix: str = '') -> Iterator[ParameterSpec]:
    """All parameters of a dataclass, in the order of declaration.

    A field that is a dataclass itself is a group: its name and a dot become the prefix of its parameters.
    """
    types = get_type_hints(group_class)
    for field in dataclasses.fields(group_class):
        field_type = types[field.name]
        if dataclasses.is_dataclass(field_type):
            yield from specs_of(field_type, f'{prefix}{field.name}.')  # type: ignore[arg-type]
        else:
            plain_type = get_origin(field_type) or field_type  # tuple[float, ...] is declared as tuple
            texts = plain_type is tuple and get_args(field_type)[0] is str
            yield ParameterSpec(prefix + field.name, plain_type, texts=texts, **field.metadata)


def from_values(group_class: type[Group], values: Mapping[str, Any], prefix: str = '') -> Group:
    """Build the dataclass from values by full name; a missing one keeps its default, a bad one raises."""
    types = get_type_hints(group_class)
    specs = {spec.name: spec for spec in specs_of(group_class, prefix)}
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(group_class):  # type: ignore[arg-type]
        name = prefix + field.name
        if dataclasses.is_dataclass(types[field.name]):
            arguments[field.name] = from_values(types[field.name], values, f'{name}.')
        elif name in values:
            arguments[field.name] = specs[name].check(values[name])
    return group_class(**arguments)


def setting_values(parameters: Any, config_class: type) -> dict[str, Any]:
    """What parameters (a dataclass of them) say about the settings of a configuration, by the settings' full names."""
    values: dict[str, Any] = {}
    for spec in specs_of(type(parameters)):
        if spec.stands_for is None or spec.stands_for.config is not config_class:
            continue
        value = parameters
        for part in spec.name.split('.'):
            value = getattr(value, part)
        if spec.is_path:
            value = Path(value).expanduser() if value else None
        values[spec.stands_for.name] = value
    return values
