"""Makes sure that a service's answer has somewhere to go.

A client may discover the server, and send its first request, before the server has discovered the client's reader;
an answer written then would be lost. Both endpoints of a client carry the same id in their DDS user data.
"""

import re
import time

from cyclonedds.core import DDSException
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader

CLIENT_ID = re.compile(rb'clientid=[^;]*;')
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 1.0


def _client_id(qos: Qos) -> bytes | None:
    data = qos[Policy.Userdata].data if Policy.Userdata in qos else b''
    found = CLIENT_ID.search(data)
    return found.group() if found else None


class ReplyPath:
    """Remembers which requesters are known to be reachable by the reply writer of a service."""

    def __init__(self, request_reader: DataReader, reply_writer: DataWriter):
        self._reader, self._writer = request_reader, reply_writer
        self._reachable: set[int] = set()

    def wait_for(self, publication_handle: int) -> bool:
        """Wait until the writer of a request can be answered; False when it left or its reader was not found."""
        if publication_handle in self._reachable:
            return True
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            if self._is_matched(publication_handle):
                self._reachable.add(publication_handle)
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(POLL_SECONDS)

    def _is_matched(self, publication_handle: int) -> bool:
        try:
            requester = self._reader.get_matched_publication_data(publication_handle)
            client = None if requester is None else _client_id(requester.qos)
            if client is None:  # gone already, or a client without an id: nothing to compare
                return True
            handles = self._writer.get_matched_subscriptions()
            readers = (self._writer.get_matched_subscription_data(handle) for handle in handles)
            return any(reader is not None and _client_id(reader.qos) == client for reader in readers)
        except DDSException:  # the service is being destroyed
            return True
