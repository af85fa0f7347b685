"""The 16 bytes in front of requests and responses by which rmw_cyclonedds tells who asked what."""

import struct
from typing import Any, NamedTuple

from embedded_ros.messages.classes import Message, from_cdr, to_cdr

ENCAPSULATION_BYTES = 4
HEADER_FIELDS = 'Qq'  # client id, sequence number


class RequestId(NamedTuple):
    """Who asked, and the running number of the request."""

    client_id: int
    sequence_number: int


def pack(request_id: RequestId, message: Message) -> bytes:
    """CDR bytes of a request or response."""
    data = to_cdr(message)
    header = struct.pack('<' + HEADER_FIELDS, *request_id)
    return bytes(data[:ENCAPSULATION_BYTES]) + header + bytes(data[ENCAPSULATION_BYTES:])


def unpack(data: bytes, message_type: Any) -> tuple[RequestId, Any]:
    """Request id and message of received CDR bytes (either byte order)."""
    order = '<' if data[1] & 1 else '>'
    size = struct.calcsize('<' + HEADER_FIELDS)
    request_id = RequestId(*struct.unpack_from(order + HEADER_FIELDS, data, ENCAPSULATION_BYTES))
    body = data[:ENCAPSULATION_BYTES] + data[ENCAPSULATION_BYTES + size :]
    return request_id, from_cdr(body, message_type)
