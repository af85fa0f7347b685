"""XTypes descriptions of ROS types for Cyclone DDS; samples themselves travel as raw CDR."""

import functools
from typing import Any

from cyclonedds.idl import make_idl_struct
from cyclonedds.idl import types as idl_types
from rosbags.interfaces import Nodetype

from embedded_ros.messages.store import message_store

types: Any = idl_types  # its generics are made at run time
NUMBERS = ('int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float32', 'float64')
BASE_TYPES = {name: getattr(types, name) for name in NUMBERS} | {
    'bool': bool,
    'byte': types.uint8,
    'char': types.uint8,
}
# rmw_cyclonedds puts this in front of every request and response.
REQUEST_HEADER = {'client_guid': types.uint64, 'sequence_number': types.int64}


def _convert(description: Any) -> Any:
    kind, argument = Nodetype(description[0]), description[1]
    if kind is Nodetype.NAME:
        return idl_type(argument)
    if kind is Nodetype.BASE:
        name, limit = argument
        if name == 'string':
            return types.bounded_str[limit] if limit else str
        return BASE_TYPES[name]
    item, count = _convert(argument[0]), argument[1]
    if kind is Nodetype.ARRAY:
        return types.array[item, count]
    return types.sequence[item, count] if count else types.sequence[item]


@functools.cache
def idl_type(type_name: str) -> Any:
    """IDL structure describing a ROS type such as 'std_msgs/msg/String'; it is never instantiated.

    The halves of services ('pkg/srv/X_Request', 'pkg/srv/X_Response') get the request header.
    """
    package, kind, name = type_name.split('/')
    fields = {field: _convert(description) for field, description in message_store().fielddefs[type_name][1]}
    if kind == 'srv':
        fields = {**REQUEST_HEADER, **fields}
    wire_name = f'{package}::{kind}::dds_::{name}_'
    return make_idl_struct(f'{package}_{kind}_{name}', wire_name, fields, dataclassify=False)


def ros_type_name(dds_type_name: str) -> str:
    """'std_msgs::msg::dds_::String_' -> 'std_msgs/msg/String'."""
    return dds_type_name.replace('::dds_::', '::').removesuffix('_').replace('::', '/')
