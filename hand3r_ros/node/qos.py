"""Quality of service of the node's topics, and how users override it.

Users set the read-only parameters ``qos_overrides.<topic>.<subscription|publisher>.<history|depth|reliability>``, with
the full name of the topic after remapping. ROS 2 declares them when the subscription or publisher is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions

IMAGE_DEPTH = 16
"""Images that may wait for the executor. They do not make the node late: the callback moves each into the one-slot
mailbox within a millisecond, where a newer one takes the place of an older one and is seen to do so."""
DETECTIONS_DEPTH = 16
"""As many as images: each image needs its own."""
_REFUSALS = (
    InvalidQosOverridesError,
    InvalidParameterTypeException,
    InvalidParameterValueException,
    RuntimeError,
    KeyError,
    ValueError,
)


class QosOverrideError(ValueError):
    """A parameter ``qos_overrides...`` cannot be; the message names the topic."""


def best_effort(depth: int = 1) -> QoSProfile:
    """QoS of the inputs: serves both kinds of publishers."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)


def reliable(depth: int = 1, keep_for_late_joiners: bool = False) -> QoSProfile:
    """QoS of the outputs: serves both kinds of subscribers."""
    durability = DurabilityPolicy.TRANSIENT_LOCAL if keep_for_late_joiners else DurabilityPolicy.VOLATILE
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=durability)


def create_overridable(create: Callable[..., Any], *arguments: Any, topic: str) -> Any:
    """``create(*arguments)``: a method of the node makes a publisher or subscription whose QoS users may override.

    Raises:
        QosOverrideError: an override is refused.

    """
    options = QoSOverridingOptions.with_default_policies(callback=_check)
    try:
        return create(*arguments, qos_overriding_options=options)
    except _REFUSALS as error:
        raise QosOverrideError(f'qos_overrides.{topic}: {error}') from error


def _check(profile: QoSProfile) -> SetParametersResult:
    if profile.history == HistoryPolicy.KEEP_LAST and profile.depth < 1:
        return SetParametersResult(successful=False, reason=f'depth is {profile.depth}, must be at least 1')
    return SetParametersResult(successful=True)
