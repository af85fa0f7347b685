"""Lets /clock drive the clock of a node while its parameter use_sim_time is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import SetParametersResult

from rclpy.clock import ROSClock
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.subscription import Subscription

CLOCK_TOPIC = '/clock'
USE_SIM_TIME_NAME = 'use_sim_time'


class TimeSource:
    """Follows use_sim_time of a node; declares the parameter."""

    def __init__(self, *, node: Node, clock: ROSClock):
        self._node, self._clock = node, clock
        self._subscription: Subscription | None = None
        if not node.has_parameter(USE_SIM_TIME_NAME):
            node.declare_parameter(USE_SIM_TIME_NAME, False)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._follow)
        self._follow([node.get_parameter(USE_SIM_TIME_NAME)])

    @staticmethod
    def _check(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == USE_SIM_TIME_NAME and parameter.type_ is not Parameter.Type.BOOL:
                return SetParametersResult(successful=False, reason=f'{USE_SIM_TIME_NAME} must be a bool')
        return SetParametersResult(successful=True)

    def _follow(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == USE_SIM_TIME_NAME:
                self._enable(parameter.value)

    def _enable(self, enabled: bool) -> None:
        if enabled and self._subscription is None:
            from rosgraph_msgs.msg import Clock

            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._clock._set_ros_time_is_active(True)
            self._subscription = self._node.create_subscription(Clock, CLOCK_TOPIC, self._receive, qos)
        elif not enabled and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._clock._set_ros_time_is_active(False)

    def _receive(self, message: Any) -> None:
        self._clock.set_ros_time_override(Time.from_msg(message.clock))
