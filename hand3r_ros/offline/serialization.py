"""ROS messages to CDR bytes with rosbags, for the message classes of a real ROS 2 and of embedded_ros alike."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hand3r_ros.offline.errors import RunError

DISTRIBUTION = 'jazzy'
"""Whose definitions are used where $ROS_DISTRO names none that rosbags knows. The types used here are the same in
all distributions from Humble on."""

REPOSITORY = Path(__file__).resolve().parents[2]
OWN_PACKAGES = ('hand3r_msgs', 'vision_msgs')
"""Message packages that rosbags does not know."""

EMPTY_MESSAGE_FIELD = 'structure_needs_at_least_one_member'
"""ROS 2 gives messages without fields this one on the wire; message classes do not show it."""


def type_name(message_class: type) -> str:
    """``sensor_msgs/msg/Image`` of the class; real ROS 2 has it in ``sensor_msgs.msg._image``."""
    return f'{message_class.__module__.split(".")[0]}/msg/{message_class.__name__}'


def to_cdr(message: Any) -> bytes:
    """The serialized message with its encapsulation header."""
    name = type_name(type(message))
    return bytes(type_store().serialize_cdr(_wire(message, name), name))


@functools.cache
def type_store() -> Typestore:
    """Definitions of all standard messages and of the packages that rosbags lacks.

    Raises:
        RunError: the definitions of a package are nowhere to be found.

    """
    known = {store.name.removeprefix('ROS2_').lower(): store for store in Stores if store.name.startswith('ROS2_')}
    store = get_typestore(known.get(os.environ.get('ROS_DISTRO', ''), known[DISTRIBUTION]))
    for package in OWN_PACKAGES:
        for path in _definitions(package):
            name = f'{package}/msg/{path.stem}'
            if name not in store.fielddefs:
                store.register(get_types_from_msg(path.read_text(encoding='utf-8'), name))
    return store


def _definitions(package: str) -> list[Path]:
    """The .msg files of a package: of the sourced workspaces, of this repository, or those that embedded_ros has."""
    prefixes = [Path(prefix) for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if prefix]
    folders = [prefix / 'share' / package for prefix in prefixes]
    folders += [REPOSITORY / package, REPOSITORY / 'embedded_ros' / 'embedded_ros' / 'definitions' / package]
    for folder in folders:
        if found := sorted(folder.glob('msg/*.msg')):
            return found
    raise RunError(f'the definitions of {package} were not found: source the ROS 2 workspace in which it is built')


def _wire(message: Any, name: str) -> Any:
    """The rosbags dataclass with the content of a message."""
    values = [convert(getattr(message, field)) for field, convert in _fields(name)]
    return type_store().types[name](*(values or [0]))


@functools.cache
def _fields(name: str) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Name of every field of a type and what makes its value one that rosbags takes."""
    _, fields = type_store().fielddefs[name]
    return tuple((field, _converter(description)) for field, description in fields if field != EMPTY_MESSAGE_FIELD)


def _converter(description: Any) -> Callable[[Any], Any]:
    kind, detail = description
    if kind == Nodetype.BASE:
        return lambda value: value
    if kind == Nodetype.NAME:
        return lambda value: _wire(value, detail)
    element_kind, element = detail[0]
    if element_kind == Nodetype.NAME:
        return lambda values: [_wire(value, element) for value in values]
    if element[0] == 'string':
        return list
    dtype = np.dtype({'byte': 'uint8', 'char': 'uint8', 'octet': 'uint8'}.get(element[0], element[0]))
    return lambda values: np.asarray(values, dtype)
