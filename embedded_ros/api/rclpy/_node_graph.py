"""The graph half of a node: which nodes, topics and services exist."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

from embedded_ros.dds.graph import EndpointInfo, NodeInfo

from rclpy._names import join_namespace
from rclpy.qos import QoSProfile

if TYPE_CHECKING:
    from rclpy.context import Context

TOPIC_PREFIX = 'rt'
REQUEST_PREFIX, REQUEST_SUFFIX = 'rq', 'Request'
NamesAndTypes = list[tuple[str, list[str]]]
POLL_SECONDS = 0.05


class TopicEndpointTypeEnum(IntEnum):
    """Kind of an endpoint."""

    INVALID = 0
    PUBLISHER = 1
    SUBSCRIPTION = 2


class TopicEndpointInfo:
    """A publisher or subscription somewhere in the graph."""

    def __init__(self, endpoint: EndpointInfo, owner: NodeInfo | None, kind: TopicEndpointTypeEnum):
        self.node_name = owner.name if owner else '_NODE_NAME_UNKNOWN_'
        self.node_namespace = owner.namespace if owner else '_NODE_NAMESPACE_UNKNOWN_'
        self.topic_type = endpoint.type_name
        self.endpoint_type = kind
        self.endpoint_gid = list(endpoint.guid)
        self.qos_profile = QoSProfile.from_endpoint_qos(endpoint.qos)

    def __str__(self) -> str:
        fields = ('node_name', 'node_namespace', 'topic_type', 'endpoint_type', 'endpoint_gid', 'qos_profile')
        return '\n'.join(f'{name}: {getattr(self, name)}' for name in fields)


def _topic_name(endpoint: EndpointInfo) -> str | None:
    """'rt/image' -> '/image', None for what is no topic."""
    return endpoint.topic[2:] if endpoint.topic.startswith(TOPIC_PREFIX + '/') else None


def _request_name(endpoint: EndpointInfo) -> str | None:
    """'rq/enableRequest' -> '/enable', None for what is no service."""
    is_service = endpoint.topic.startswith(REQUEST_PREFIX + '/') and endpoint.topic.endswith(REQUEST_SUFFIX)
    return endpoint.topic[len(REQUEST_PREFIX) : -len(REQUEST_SUFFIX)] if is_service else None


def _names_and_types(
    endpoints: Iterable[EndpointInfo], name_of: Callable[[EndpointInfo], str | None], type_suffix: str = ''
) -> NamesAndTypes:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for endpoint in endpoints:
        name = name_of(endpoint)
        if name is not None:
            found[name].add(endpoint.type_name.removesuffix(type_suffix))
    return [(name, sorted(types)) for name, types in sorted(found.items())]


class NodeGraph:
    """Mixed into Node."""

    if TYPE_CHECKING:
        context: Context

        def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
            """Given by Node."""
            ...

        def resolve_service_name(self, service: str, *, only_expand: bool = False) -> str:
            """Given by Node."""
            ...

    # Nodes

    def get_node_names_and_namespaces(self) -> list[tuple[str, str]]:
        """Return (name, namespace) of all nodes."""
        return [(node.name, node.namespace) for node in self.context.graph.nodes()]

    def get_fully_qualified_node_names(self) -> list[str]:
        """Return the full names of all nodes."""
        return [join_namespace(namespace, name) for name, namespace in self.get_node_names_and_namespaces()]

    def wait_for_node(self, fully_qualified_node_name: str, timeout: float) -> bool:
        """Wait until a node is there; False when the time was over before."""
        end = time.monotonic() + timeout
        while fully_qualified_node_name not in self.get_fully_qualified_node_names():
            if time.monotonic() >= end or not self.context.ok():
                return False
            time.sleep(POLL_SECONDS)
        return True

    # Topics and services

    def _all_endpoints(self) -> list[EndpointInfo]:
        graph = self.context.graph
        return graph.endpoints(readers=True) + graph.endpoints(readers=False)

    def get_topic_names_and_types(self, no_demangle: bool = False) -> NamesAndTypes:
        """Return the topics of the graph with their types."""
        name_of = (lambda endpoint: endpoint.topic) if no_demangle else _topic_name
        return _names_and_types(self._all_endpoints(), name_of)

    def get_service_names_and_types(self) -> NamesAndTypes:
        """Return the services of the graph with their types."""
        readers = self.context.graph.endpoints(readers=True)
        return _names_and_types(readers, _request_name, '_Request')

    # Endpoints

    def _matching(self, topic: str, readers: bool) -> list[EndpointInfo]:
        full_name = self.resolve_topic_name(topic)
        return [e for e in self.context.graph.endpoints(readers) if _topic_name(e) == full_name]

    def count_publishers(self, topic_name: str) -> int:
        """Return the number of publishers of a topic."""
        return len(self._matching(topic_name, readers=False))

    def count_subscribers(self, topic_name: str) -> int:
        """Return the number of subscriptions of a topic."""
        return len(self._matching(topic_name, readers=True))

    def count_services(self, service_name: str) -> int:
        """Return the number of servers of a service."""
        name = self.resolve_service_name(service_name)
        return sum(_request_name(endpoint) == name for endpoint in self.context.graph.endpoints(readers=True))

    def _endpoint_infos(self, topic: str, kind: TopicEndpointTypeEnum) -> list[TopicEndpointInfo]:
        readers = kind is TopicEndpointTypeEnum.SUBSCRIPTION
        nodes = self.context.graph.nodes()
        owners = {guid: node for node in nodes for guid in (node.readers if readers else node.writers)}
        return [TopicEndpointInfo(e, owners.get(e.guid), kind) for e in self._matching(topic, readers)]

    def get_publishers_info_by_topic(self, topic_name: str, no_mangle: bool = False) -> list[TopicEndpointInfo]:
        """Return the publishers of a topic with node and QoS."""
        return self._endpoint_infos(topic_name, TopicEndpointTypeEnum.PUBLISHER)

    def get_subscriptions_info_by_topic(self, topic_name: str, no_mangle: bool = False) -> list[TopicEndpointInfo]:
        """Return the subscriptions of a topic with node and QoS."""
        return self._endpoint_infos(topic_name, TopicEndpointTypeEnum.SUBSCRIPTION)
