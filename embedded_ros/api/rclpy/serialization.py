"""Messages to and from CDR bytes."""

from typing import Any

from embedded_ros.messages.classes import from_cdr, to_cdr

from rclpy.utilities import check_is_valid_msg_type


def serialize_message(message: Any) -> bytes:
    """Return the CDR bytes of a message."""
    check_is_valid_msg_type(type(message))
    return bytes(to_cdr(message))


def deserialize_message(serialized_message: bytes, message_type: Any) -> Any:
    """Return the message of CDR bytes."""
    check_is_valid_msg_type(message_type)
    return from_cdr(serialized_message, message_type)
