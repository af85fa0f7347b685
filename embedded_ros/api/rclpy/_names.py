"""Names of nodes, namespaces, topics and services: their rules, expansion and remapping."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from rclpy.exceptions import (
    InvalidNamespaceException,
    InvalidNodeNameException,
    InvalidServiceNameException,
    InvalidTopicNameException,
    NameValidationException,
)
from rclpy.logging import RcutilsLogger, get_logger

if TYPE_CHECKING:
    from rclpy._arguments import Remap

MAX_NAME_LENGTH = 255
ErrorClass = Callable[[str, str, int], NameValidationException]  # name, message, where
SUBSTITUTIONS = ('node', 'ns', 'namespace')


def _check_characters(name: str, error: ErrorClass, extra: str, kind: str) -> None:
    if not name:
        raise error(name, f'{kind} must not be empty', 0)
    if len(name) > MAX_NAME_LENGTH:
        raise error(name, f'{kind} must not be longer than {MAX_NAME_LENGTH} characters', MAX_NAME_LENGTH)
    wrong = re.search(rf'[^A-Za-z0-9_{extra}]', name)
    if wrong:
        allowed = ', '.join(["'_'", *(f"'{character}'" for character in extra)])
        raise error(name, f'{kind} must not contain characters other than alphanumerics, {allowed}', wrong.start())


def _check_tokens(name: str, error: ErrorClass, kind: str) -> None:
    digit = re.search(r'(^|/)[0-9]', name)
    if digit:
        raise error(name, f'{kind} token must not start with a number', digit.end() - 1)
    if '//' in name:
        raise error(name, f"{kind} must not contain repeated '/'", name.index('//') + 1)
    if len(name) > 1 and name.endswith('/'):
        raise error(name, f"{kind} must not end with '/'", len(name) - 1)


def _topic_error(is_service: bool) -> ErrorClass:
    return InvalidServiceNameException if is_service else InvalidTopicNameException


def validate_node_name(node_name: str) -> bool:
    """Return True, or raise InvalidNodeNameException."""
    _check_characters(node_name, InvalidNodeNameException, '', 'node name')
    if node_name[0].isdigit():
        raise InvalidNodeNameException(node_name, 'node name must not start with a number', 0)
    return True


def validate_namespace(namespace: str) -> bool:
    """Return True, or raise InvalidNamespaceException."""
    _check_characters(namespace, InvalidNamespaceException, '/', 'namespace')
    if not namespace.startswith('/'):
        raise InvalidNamespaceException(namespace, "namespace must be absolute, it must lead with a '/'", 0)
    _check_tokens(namespace, InvalidNamespaceException, 'namespace')
    return True


def validate_topic_name(name: str, *, is_service: bool = False) -> bool:
    """Check a name as users write it ('image', '~/hands'): True, or Invalid{Topic,Service}NameException."""
    error = _topic_error(is_service)
    _check_characters(name, error, '/~{}', 'topic name')
    if '~' in name[1:]:
        raise error(name, "'~' is only allowed as the first character", name.index('~', 1))
    if name.startswith('~') and name[1:2] not in ('', '/'):
        raise error(name, "'~' must be followed by '/'", 1)
    _check_tokens(name, error, 'topic name')
    substitutions = re.findall(r'\{([^{}]*)\}', name)
    without = re.sub(r'\{[^{}]*\}', '', name)
    if '{' in without or '}' in without:
        raise error(name, 'curly braces are not balanced', max(name.find('{'), 0))
    for substitution in substitutions:
        if substitution not in SUBSTITUTIONS:
            raise error(name, f"unknown substitution '{{{substitution}}}'", name.index('{' + substitution))
    return True


def validate_full_topic_name(name: str, *, is_service: bool = False) -> bool:
    """Check an expanded name ('/camera/image'): True, or Invalid{Topic,Service}NameException."""
    error = _topic_error(is_service)
    _check_characters(name, error, '/', 'topic name')
    if not name.startswith('/'):
        raise error(name, "topic name must be absolute, it must lead with a '/'", 0)
    _check_tokens(name, error, 'topic name')
    return True


def join_namespace(namespace: str, name: str) -> str:
    """'/' + 'node' -> '/node', '/robot' + 'node' -> '/robot/node'."""
    return f'{namespace.rstrip("/")}/{name}'


def expand_topic_name(topic_name: str, node_name: str, node_namespace: str) -> str:
    """Full name of a relative, private ('~/x') or absolute name; ValueError where one of the three is malformed."""
    try:
        validate_node_name(node_name)
        validate_namespace(node_namespace)
        validate_topic_name(topic_name)
    except NameValidationException as error:
        raise ValueError(str(error)) from None
    name = topic_name.replace('{node}', node_name)
    for key in ('{ns}', '{namespace}'):
        name = name.replace(key, node_namespace)
    if name.startswith('~'):
        name = join_namespace(node_namespace, node_name) + name[1:]
    return name if name.startswith('/') else join_namespace(node_namespace, name)


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
