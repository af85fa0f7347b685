"""Lets users override QoS settings by parameters `qos_overrides.<topic>.<publisher|subscription>.<policy>`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    InvalidQoSProfileException,
    LivelinessPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)

if TYPE_CHECKING:
    from rclpy.node import Node

__all__ = ['InvalidQosOverridesError', 'QoSOverridingOptions', 'QoSPolicyKind', 'QosCallbackResult']

DEFAULT_POLICIES = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY)
ENUM_POLICIES: dict[str, Any] = {
    'history': HistoryPolicy,
    'reliability': ReliabilityPolicy,
    'durability': DurabilityPolicy,
    'liveliness': LivelinessPolicy,
}
DURATION_POLICIES = ('deadline', 'lifespan', 'liveliness_lease_duration')


class InvalidQosOverridesError(Exception):
    """The overridden profile was refused."""


@dataclass
class QosCallbackResult:
    """What a validation callback returns."""

    successful: bool = False
    reason: str = ''


class QoSOverridingOptions:
    """Which policies may be overridden, and a callback that validates the result."""

    def __init__(
        self,
        policy_kinds: Sequence[QoSPolicyKind],
        *,
        callback: Callable[[QoSProfile], QosCallbackResult] | None = None,
        entity_id: str | None = None,
    ):
        self.policy_kinds = tuple(policy_kinds)
        self.callback = callback
        self.entity_id = entity_id

    @classmethod
    def with_default_policies(
        cls,
        *,
        callback: Callable[[QoSProfile], QosCallbackResult] | None = None,
        entity_id: str | None = None,
    ) -> QoSOverridingOptions:
        """Allow history, depth and reliability."""
        return cls(DEFAULT_POLICIES, callback=callback, entity_id=entity_id)


def _to_parameter(profile: QoSProfile, policy: str) -> Any:
    value = getattr(profile, policy)
    if policy in ENUM_POLICIES:
        return value.short_key
    return value.nanoseconds if policy in DURATION_POLICIES else value


def _from_parameter(policy: str, value: Any) -> Any:
    if policy in ENUM_POLICIES:
        if value.lower() not in ENUM_POLICIES[policy].short_keys():
            raise InvalidQosOverridesError(f'{value!r} is no {policy}: use {ENUM_POLICIES[policy].short_keys()}')
        return ENUM_POLICIES[policy][value.upper()]
    return Duration(nanoseconds=value) if policy in DURATION_POLICIES else value


def declare_qos_parameters(
    node: Node, entity: str, topic_name: str, profile: QoSProfile, options: QoSOverridingOptions
) -> QoSProfile:
    """Declare the read-only parameters of a 'publisher' or 'subscription'; return the overridden profile."""
    from rcl_interfaces.msg import ParameterDescriptor

    suffix = f'_{options.entity_id}' if options.entity_id else ''
    prefix = f'qos_overrides.{topic_name}.{entity}{suffix}'
    settings = {name: getattr(profile, name) for name in QoSProfile.__slots__}
    for kind in options.policy_kinds:
        policy = kind.name.lower()
        if policy not in settings:
            raise InvalidQoSProfileException(f'{kind!r} cannot be overridden')
        descriptor = ParameterDescriptor(description=f'{policy} of the {entity} of topic {topic_name}', read_only=True)
        name = f'{prefix}.{policy}'
        if node.has_parameter(name):  # of an earlier endpoint of the same topic: both have the same settings
            parameter = node.get_parameter(name)
        else:
            parameter = node.declare_parameter(name, _to_parameter(profile, policy), descriptor)
        settings[policy] = _from_parameter(policy, parameter.value)
    result = QoSProfile(**settings)
    if options.callback is not None:
        verdict = options.callback(result)
        if not verdict.successful:
            raise InvalidQosOverridesError(f'{topic_name}: {verdict.reason}')
    return result
