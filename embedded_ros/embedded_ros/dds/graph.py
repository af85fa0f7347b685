"""One DDS participant per rclpy context, and the ROS graph: who is there, with which topics."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cyclonedds.builtin import (
    BuiltinDataReader,
    BuiltinTopicDcpsParticipant,
    BuiltinTopicDcpsPublication,
    BuiltinTopicDcpsSubscription,
)
from cyclonedds.core import InstanceState
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter, Publisher
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader, Subscriber
from cyclonedds.topic import Topic

from embedded_ros.dds.configuration import configured_domain
from embedded_ros.dds.endpoint_qos import EndpointQos, from_dds, to_dds
from embedded_ros.dds.idl_types import idl_type, ros_type_name
from embedded_ros.dds.transport import delete, take, write
from embedded_ros.messages.store import message_store

DISCOVERY_TOPIC = 'ros_discovery_info'
DISCOVERY_TYPE = 'rmw_dds_common/msg/ParticipantEntitiesInfo'
GID_TYPE = 'rmw_dds_common/msg/Gid'
GUID_BYTES = 16
MAX_ENTRIES = 10_000


@dataclass(eq=False)
class LocalNode:
    """A node of this process as announced to the graph, with the ids of its endpoints."""

    name: str
    namespace: str
    readers: list[bytes] = field(default_factory=list)
    writers: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class NodeInfo:
    """A node anywhere in the graph with the ids of its endpoints."""

    name: str
    namespace: str
    readers: frozenset[bytes]
    writers: frozenset[bytes]


@dataclass(frozen=True)
class EndpointInfo:
    """A reader or writer anywhere in the graph; `topic` is the DDS name ('rt/image'), `type_name` the ROS one."""

    topic: str
    type_name: str
    guid: bytes
    qos: EndpointQos


class Graph:
    """Creates DDS endpoints for ROS topics and services, announces local nodes and watches remote ones."""

    def __init__(self, domain_id: int, enclave: str = '/'):
        self._domain = configured_domain(domain_id)
        self.participant = DomainParticipant(domain_id, Qos(Policy.Userdata(f'enclave={enclave};'.encode())))
        self._publisher, self._subscriber = Publisher(self.participant), Subscriber(self.participant)
        self._topics: dict[tuple[str, str], Topic] = {}
        self._nodes: list[LocalNode] = []
        self._remote: dict[bytes, list[NodeInfo]] = {}
        self._lock = threading.RLock()
        self._announcements = self.create_writer(
            DISCOVERY_TOPIC, DISCOVERY_TYPE, EndpointQos(depth=1, transient_local=True)
        )
        self._others = DataReader(
            self._subscriber,
            self._topic(DISCOVERY_TOPIC, DISCOVERY_TYPE),
            to_dds(EndpointQos(depth=None, transient_local=True), self._type_hash(DISCOVERY_TYPE), ignore_own=True),
        )
        self._known_participants = BuiltinDataReader(self.participant, BuiltinTopicDcpsParticipant)
        self._known_readers = BuiltinDataReader(self.participant, BuiltinTopicDcpsSubscription)
        self._known_writers = BuiltinDataReader(self.participant, BuiltinTopicDcpsPublication)

    def close(self) -> None:
        """Leave the graph: deletes the participant with all its endpoints."""
        delete(self.participant)

    # Endpoints

    @staticmethod
    def _type_hash(type_name: str) -> str:
        return f'typehash={message_store().hash_rihs01(type_name)};'

    def _topic(self, name: str, type_name: str) -> Topic:
        with self._lock:
            if (name, type_name) not in self._topics:
                self._topics[name, type_name] = Topic(self.participant, name, idl_type(type_name))
            return self._topics[name, type_name]

    def create_writer(self, topic: str, type_name: str, qos: EndpointQos, user_data: str = '') -> DataWriter:
        """Create a writer for a DDS topic name ('rt/image')."""
        dds_qos = to_dds(qos, user_data + self._type_hash(type_name))
        return DataWriter(self._publisher, self._topic(topic, type_name), dds_qos)

    def create_reader(self, topic: str, type_name: str, qos: EndpointQos, user_data: str = '') -> DataReader:
        """Create a reader for a DDS topic name ('rt/image')."""
        dds_qos = to_dds(qos, user_data + self._type_hash(type_name))
        return DataReader(self._subscriber, self._topic(topic, type_name), dds_qos)

    def create_service_pair(
        self, name: str, service_type: str, qos: EndpointQos, is_server: bool
    ) -> tuple[DataWriter, DataReader]:
        """Create writer and reader of a service server or client; `name` is the full service name ('/node/reset')."""
        identity = '.'.join(f'{byte:x}' for byte in secrets.token_bytes(GUID_BYTES))
        user_data = f'{"serviceid" if is_server else "clientid"}={identity};'
        request = (f'rq{name}Request', f'{service_type}_Request', qos, user_data)
        response = (f'rr{name}Reply', f'{service_type}_Response', qos, user_data)
        if is_server:
            return self.create_writer(*response), self.create_reader(*request)
        return self.create_writer(*request), self.create_reader(*response)

    # Nodes

    def add_node(self, node: LocalNode) -> None:
        """Announce a new local node."""
        with self._lock:
            self._nodes.append(node)
            self.announce()

    def remove_node(self, node: LocalNode) -> None:
        """Withdraw a local node."""
        with self._lock:
            if node in self._nodes:
                self._nodes.remove(node)
                self.announce()

    def announce(self) -> None:
        """Publish which nodes and endpoints this participant has; to be called after every change."""
        types = message_store().types
        # 24 bytes in Humble, 16 since Iron
        size = int(dict(message_store().fielddefs[GID_TYPE][1])['data'][1][1])

        def gid(guid: bytes) -> Any:
            return types[GID_TYPE](np.frombuffer(guid.ljust(size, b'\0'), np.uint8))

        with self._lock:
            nodes = [
                types['rmw_dds_common/msg/NodeEntitiesInfo'](
                    node.namespace,
                    node.name,
                    [gid(guid) for guid in list(node.readers)],
                    [gid(guid) for guid in list(node.writers)],
                )
                for node in self._nodes
            ]
            message = types[DISCOVERY_TYPE](gid(self.participant.guid.bytes), nodes)
            write(self._announcements, message_store().serialize_cdr(message, DISCOVERY_TYPE))

    def nodes(self) -> list[NodeInfo]:
        """All nodes of the graph, those of this participant first."""
        with self._lock:
            while (sample := take(self._others)) is not None:
                message: Any = message_store().deserialize_cdr(memoryview(sample[0]), DISCOVERY_TYPE)
                self._remote[bytes(message.gid.data[:GUID_BYTES])] = [
                    NodeInfo(
                        entry.node_name,
                        entry.node_namespace,
                        frozenset(bytes(gid.data[:GUID_BYTES]) for gid in entry.reader_gid_seq),
                        frozenset(bytes(gid.data[:GUID_BYTES]) for gid in entry.writer_gid_seq),
                    )
                    for entry in message.node_entities_info_seq
                ]
            alive = {sample.key.bytes for sample in self._alive(self._known_participants)}
            self._remote = {participant: nodes for participant, nodes in self._remote.items() if participant in alive}
            local = [
                NodeInfo(
                    node.name,
                    node.namespace,
                    frozenset(node.readers),
                    frozenset(node.writers),
                )
                for node in self._nodes
            ]
            return local + [node for nodes in self._remote.values() for node in nodes]

    def endpoints(self, readers: bool) -> list[EndpointInfo]:
        """All readers, or all writers, of the graph."""
        with self._lock:
            samples = self._alive(self._known_readers if readers else self._known_writers)
        return [
            EndpointInfo(sample.topic_name, ros_type_name(sample.type_name), sample.key.bytes, from_dds(sample.qos))
            for sample in samples
            if not sample.topic_name.startswith('DCPS')
        ]

    @staticmethod
    def _alive(reader: BuiltinDataReader) -> list[Any]:
        return [s for s in reader.read(MAX_ENTRIES) if s.sample_info.instance_state == InstanceState.Alive]
