"""Rules for names of nodes, namespaces, topics and services, and their expansion to full names."""

import re
from collections.abc import Callable

from rclpy.exceptions import (
    InvalidNamespaceException,
    InvalidNodeNameException,
    InvalidServiceNameException,
    InvalidTopicNameException,
    NameValidationException,
)

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
