"""The name half of a node: name, namespace, logger, and expansion and remapping of topic names."""

from __future__ import annotations

from rclpy._arguments import Remap
from rclpy._names import (
    expand_topic_name,
    join_namespace,
    validate_full_topic_name,
    validate_namespace,
    validate_node_name,
    validate_topic_name,
)
from rclpy.logging import RcutilsLogger, get_logger


class NodeNames:
    """Mixed into Node, which calls `_set_names` first."""

    def _set_names(self, node_name: str, namespace: str | None, remaps: list[Remap]) -> None:
        namespace = namespace or '/'
        namespace = namespace if namespace.startswith('/') else '/' + namespace
        validate_node_name(node_name)
        validate_namespace(namespace)
        self._remaps = [remap for remap in remaps if remap.node in (None, node_name)]
        names = {remap.source: remap.target for remap in reversed(self._remaps)}  # the first rule wins
        self._name = names.get('__node', names.get('__name', node_name))
        self._namespace = names.get('__ns', namespace)
        validate_node_name(self._name)
        validate_namespace(self._namespace)
        self._logger = get_logger(self.get_fully_qualified_name().strip('/').replace('/', '.'))

    def get_name(self) -> str:
        """Return the name."""
        return self._name

    def get_namespace(self) -> str:
        """Return the namespace."""
        return self._namespace

    def get_fully_qualified_name(self) -> str:
        """Return namespace and name."""
        return join_namespace(self._namespace, self._name)

    def get_logger(self) -> RcutilsLogger:
        """Return the logger of the node."""
        return self._logger

    def _resolve(self, name: str, only_expand: bool, is_service: bool) -> str:
        validate_topic_name(name, is_service=is_service)
        full_name = expand_topic_name(name, self._name, self._namespace)
        validate_full_topic_name(full_name, is_service=is_service)
        if only_expand:
            return full_name
        for remap in self._remaps:
            source = remap.source.removeprefix('rosservice://' if is_service else 'rostopic://')
            if '://' in source or source.startswith('__'):
                continue
            if expand_topic_name(source, self._name, self._namespace) == full_name:
                return expand_topic_name(remap.target, self._name, self._namespace)
        return full_name

    def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
        """Return the full name of a topic after remapping."""
        return self._resolve(topic, only_expand, is_service=False)

    def resolve_service_name(self, service: str, *, only_expand: bool = False) -> str:
        """Return the full name of a service after remapping."""
        return self._resolve(service, only_expand, is_service=True)
