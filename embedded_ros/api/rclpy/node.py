"""Nodes: names, logging, and what is created and destroyed with them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

from builtin_interfaces.msg import Time
from embedded_ros.dds.graph import LocalNode
from rcl_interfaces.msg import Log, ParameterEvent

from rclpy._arguments import parse_ros_arguments
from rclpy._names import NodeNames
from rclpy._node_entities import NodeEntities
from rclpy._node_graph import NodeGraph
from rclpy._node_parameters import NodeParameters, ParameterService
from rclpy._rclpy_pybind11 import RCLError
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.client import Client
from rclpy.clock import Clock, ROSClock, TimeSource
from rclpy.context import Context
from rclpy.duration import S_TO_NS
from rclpy.event_handler import EndpointEvents
from rclpy.exceptions import NotInitializedException
from rclpy.logging import LoggingSeverity, get_logging_severity_from_string, rosout_sinks, set_logger_level
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import (
    QoSProfile,
    qos_profile_parameter_events,
    qos_profile_rosout_default,
    qos_profile_services_default,
)
from rclpy.qos_overriding_options import QoSOverridingOptions, declare_qos_parameters
from rclpy.service import Service
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from rclpy.utilities import check_is_valid_msg_type, check_is_valid_srv_type, get_default_context

ROSOUT_TOPIC = '/rosout'


class Rosout:
    """Forwards what the node's logger and its children write, until closed."""

    def __init__(self, node: Node, qos_profile: QoSProfile | int):
        self._node = node
        self._publisher = node.create_publisher(Log, ROSOUT_TOPIC, qos_profile)
        self._logger_name = node.get_logger().name
        rosout_sinks[self._logger_name] = self._publish

    def close(self) -> None:
        """Forward no more; a newer node of the same name keeps its sink."""
        if rosout_sinks.get(self._logger_name) == self._publish:
            del rosout_sinks[self._logger_name]

    def _publish(self, name: str, severity: LoggingSeverity, text: str, stamp: int, caller: inspect.Traceback) -> None:
        if not self._node.context.ok():
            return
        seconds, nanoseconds = divmod(stamp, S_TO_NS)
        message = Log(stamp=Time(sec=seconds, nanosec=nanoseconds), level=int(severity), name=name, msg=text)
        message.file, message.function, message.line = caller.filename, caller.function, caller.lineno
        with contextlib.suppress(RCLError):  # another thread is destroying the node: logging must not fail
            self._publisher.publish(message)


def _to_profile(qos: QoSProfile | int) -> QoSProfile:
    if isinstance(qos, QoSProfile):
        return qos
    if isinstance(qos, bool) or not isinstance(qos, int):
        raise TypeError(f'Expected QoSProfile or int, but received {type(qos)!r}')
    if qos < 0:
        raise ValueError('history depth must be greater than or equal to zero')
    return QoSProfile(depth=qos)


class Node(NodeNames, NodeEntities, NodeParameters, NodeGraph):
    """A node of the ROS graph."""

    def __init__(
        self,
        node_name: str,
        *,
        context: Context | None = None,
        cli_args: list[str] | None = None,
        namespace: str | None = None,
        use_global_arguments: bool = True,
        enable_rosout: bool = True,
        rosout_qos_profile: QoSProfile | int = qos_profile_rosout_default,
        start_parameter_services: bool = True,
        parameter_overrides: list[Parameter] | None = None,
        allow_undeclared_parameters: bool = False,
        automatically_declare_parameters_from_overrides: bool = False,
        enable_logger_service: bool = False,
    ):
        if enable_logger_service:
            raise NotImplementedError('embedded_ros: Node(enable_logger_service=True)')
        self.context = context or get_default_context()
        if not self.context.ok():
            raise NotInitializedException('cannot create node')
        self.default_callback_group: CallbackGroup = MutuallyExclusiveCallbackGroup()
        self._init_entities()
        self._clock = ROSClock()
        self._rosout: Rosout | None = None
        self._parameter_event_publisher: Publisher | None = None
        own_arguments = parse_ros_arguments(cli_args)
        sources = [own_arguments, self.context.arguments] if use_global_arguments else [own_arguments]
        remaps = [remap for source in sources for remap in source.remaps]
        self._set_names(node_name, namespace, remaps)
        for name, level in own_arguments.log_levels.items():
            set_logger_level(name or self._logger.name, get_logging_severity_from_string(level))
        overrides: dict[str, Parameter] = {}
        for source in reversed(sources):
            for name, value in source.parameters_of(self.get_fully_qualified_name()).items():
                overrides[name] = Parameter(name, value=value)
        overrides.update({parameter.name: parameter for parameter in parameter_overrides or []})
        self._init_parameters(overrides, allow_undeclared_parameters)

        self._enter_graph(LocalNode(self._name, self._namespace))
        if enable_rosout and all(source.rosout for source in sources):
            self._rosout = Rosout(self, rosout_qos_profile)
        self._parameter_event_publisher = self.create_publisher(
            ParameterEvent, '/parameter_events', qos_profile_parameter_events
        )
        if automatically_declare_parameters_from_overrides:
            self.declare_parameters('', [(p.name, p.value) for p in overrides.values()])
        self._time_source = TimeSource(node=self, clock=self._clock)
        if start_parameter_services:
            self._parameter_service = ParameterService(self)

    def get_clock(self) -> ROSClock:
        """Return the clock, which follows /clock while use_sim_time is true."""
        return self._clock

    @property
    def handle(self) -> Node:
        """The node itself."""
        return self

    # Creating

    def create_publisher(
        self,
        msg_type: Any,
        topic: str,
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: Any = None,
        qos_overriding_options: QoSOverridingOptions | None = None,
        publisher_class: type[Publisher] = Publisher,
    ) -> Any:
        """Create a publisher; `qos_profile` may be a history depth."""
        check_is_valid_msg_type(msg_type)
        name = self.resolve_topic_name(topic)
        profile = _to_profile(qos_profile)
        if qos_overriding_options is not None:
            profile = declare_qos_parameters(self, 'publisher', name, profile, qos_overriding_options)
        publisher = publisher_class(self, msg_type, name, profile)
        publisher.events = EndpointEvents(self, callback_group, publisher.writer, name, event_callbacks, is_writer=True)
        self._add(publisher.events)
        self._add_publisher(publisher)
        return publisher

    def create_subscription(
        self,
        msg_type: Any,
        topic: str,
        callback: Callable[..., Any],
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: Any = None,
        qos_overriding_options: QoSOverridingOptions | None = None,
        raw: bool = False,
        content_filter_options: Any = None,
    ) -> Subscription:
        """Create a subscription; `qos_profile` may be a history depth, `raw` gives CDR bytes to the callback."""
        if content_filter_options is not None:
            raise NotImplementedError('embedded_ros: content filters of subscriptions')
        check_is_valid_msg_type(msg_type)
        name = self.resolve_topic_name(topic)
        profile = _to_profile(qos_profile)
        if qos_overriding_options is not None:
            profile = declare_qos_parameters(self, 'subscription', name, profile, qos_overriding_options)
        subscription = Subscription(self, msg_type, name, callback, profile, callback_group, raw)
        reader, group = subscription.reader, subscription.callback_group
        subscription.events = EndpointEvents(self, group, reader, name, event_callbacks, is_writer=False)
        self._add(subscription.events)
        return self._add(subscription)

    def create_service(
        self,
        srv_type: Any,
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Service:
        """Create a service server."""
        check_is_valid_srv_type(srv_type)
        name = self.resolve_service_name(srv_name)
        return self._add(Service(self, srv_type, name, callback, _to_profile(qos_profile), callback_group))

    def create_client(
        self,
        srv_type: Any,
        srv_name: str,
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Client:
        """Create a service client."""
        check_is_valid_srv_type(srv_type)
        name = self.resolve_service_name(srv_name)
        return self._add(Client(self, srv_type, name, _to_profile(qos_profile), callback_group))

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable[[], Any],
        callback_group: CallbackGroup | None = None,
        clock: Clock | None = None,
        autostart: bool = True,
    ) -> Timer:
        """Create a timer of the node's clock."""
        period = int(float(timer_period_sec) * S_TO_NS)
        return self._add(Timer(self, period, callback, callback_group, clock or self._clock, autostart))

    # Destroying

    def destroy_node(self) -> None:
        """Leave the graph and destroy everything that belongs to the node."""
        if not self._is_in_graph:
            return
        if self.executor is not None:
            self.executor.remove_node(self)
        if self._rosout is not None:
            self._rosout.close()
        self._leave_graph()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.destroy_node()
