"""Nodes: names, and what is created and destroyed with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from builtin_interfaces.msg import Time as TimeMessage
from embedded_ros.dds.graph import LocalNode
from embedded_ros.dds.transport import delete
from rcl_interfaces.msg import Log, ParameterEvent

from rclpy._arguments import Remap, parse_ros_arguments
from rclpy._entity import Entity
from rclpy._names import (
    expand_topic_name,
    join_namespace,
    validate_full_topic_name,
    validate_namespace,
    validate_node_name,
    validate_topic_name,
)
from rclpy._node_graph import NodeGraph
from rclpy._node_parameters import NodeParameters
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.client import Client
from rclpy.clock import Clock, ROSClock
from rclpy.constants import S_TO_NS
from rclpy.context import Context
from rclpy.event_handler import EndpointEvents
from rclpy.exceptions import NotInitializedException
from rclpy.guard_condition import GuardCondition
from rclpy.logging import (
    LoggingSeverity,
    RcutilsLogger,
    get_logger,
    get_logging_severity_from_string,
    rosout_sinks,
    set_logger_level,
)
from rclpy.parameter import Parameter
from rclpy.parameter_service import ParameterService
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
from rclpy.time_source import TimeSource
from rclpy.timer import Rate, Timer
from rclpy.utilities import check_is_valid_msg_type, check_is_valid_srv_type, get_default_context

HIDDEN_NODE_PREFIX = '_'


def _to_profile(qos: QoSProfile | int) -> QoSProfile:
    if isinstance(qos, QoSProfile):
        return qos
    if isinstance(qos, bool) or not isinstance(qos, int):
        raise TypeError(f'Expected QoSProfile or int, but received {type(qos)!r}')
    if qos < 0:
        raise ValueError('history depth must be greater than or equal to zero')
    return QoSProfile(depth=qos)


class Node(NodeParameters, NodeGraph):
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
        self.executor: Any = None
        self.default_callback_group: CallbackGroup = MutuallyExclusiveCallbackGroup()
        self._entities: list[Entity] = []
        self._publishers: list[Publisher] = []
        self._lock = threading.RLock()
        self._clock = ROSClock()
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

        self._announcement = LocalNode(self._name, self._namespace)
        self.context.graph.add_node(self._announcement)
        self.context.track_node(+1)
        if enable_rosout and all(source.rosout for source in sources):
            self._rosout = self.create_publisher(Log, '/rosout', rosout_qos_profile)
            rosout_sinks[self._logger.name] = self._publish_log
        self._parameter_event_publisher = self.create_publisher(
            ParameterEvent, '/parameter_events', qos_profile_parameter_events
        )
        if automatically_declare_parameters_from_overrides:
            self.declare_parameters('', [(p.name, p.value) for p in overrides.values()])
        self._time_source = TimeSource(node=self, clock=self._clock)
        if start_parameter_services:
            self._parameter_service = ParameterService(self)

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

    # Names

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

    def get_clock(self) -> ROSClock:
        """Return the clock, which follows /clock while use_sim_time is true."""
        return self._clock

    @property
    def handle(self) -> Node:
        """The node itself."""
        return self

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
        with self._lock:
            self._publishers.append(publisher)
            self._announcement.writers.append(publisher.writer)
        self.context.graph.announce()
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

    def create_guard_condition(
        self, callback: Callable[[], Any], callback_group: CallbackGroup | None = None
    ) -> GuardCondition:
        """Create a guard condition."""
        return self._add(GuardCondition(self, callback, callback_group))

    def create_rate(self, frequency: float, clock: Clock | None = None) -> Rate:
        """Create a rate; another thread has to spin the node where its clock follows /clock."""
        return Rate(frequency, clock or self._clock, self.context)

    def add_waitable(self, waitable: Any) -> None:
        """Not part of the subset."""
        raise NotImplementedError('embedded_ros: Node.add_waitable')

    def _add(self, entity: Any) -> Any:
        with self._lock:
            self._entities.append(entity)
            for attribute, announced in (
                ('reader', self._announcement.readers),
                ('writer', self._announcement.writers),
            ):
                if hasattr(entity, attribute):
                    announced.append(getattr(entity, attribute))
        if hasattr(entity, 'reader'):
            self.context.graph.announce()
        self.wake_executor()
        return entity

    # What there is

    def executable_entities(self) -> list[Entity]:
        """Return what an executor has to look at."""
        with self._lock:
            return list(self._entities)

    def wake_executor(self) -> None:
        """Let the executor look for work again."""
        if self.executor is not None:
            self.executor.wake()

    def _of_type(self, kind: type) -> Iterator[Any]:
        return (entity for entity in self.executable_entities() if isinstance(entity, kind))

    @property
    def publishers(self) -> Iterator[Publisher]:
        """The publishers."""
        return iter(list(self._publishers))

    @property
    def subscriptions(self) -> Iterator[Subscription]:
        """The subscriptions."""
        return self._of_type(Subscription)

    @property
    def services(self) -> Iterator[Service]:
        """The service servers."""
        return self._of_type(Service)

    @property
    def clients(self) -> Iterator[Client]:
        """The service clients."""
        return self._of_type(Client)

    @property
    def timers(self) -> Iterator[Timer]:
        """The timers."""
        return self._of_type(Timer)

    @property
    def guards(self) -> Iterator[GuardCondition]:
        """The guard conditions."""
        return self._of_type(GuardCondition)

    # Destroying

    def destroy_publisher(self, publisher: Publisher) -> bool:
        """Destroy a publisher; False when it is not one of this node."""
        with self._lock:
            if publisher not in self._publishers:
                return False
            self._publishers.remove(publisher)
            self._announcement.writers = [w for w in self._announcement.writers if w is not publisher.writer]
            publisher._destroyed = True
        if publisher.events is not None:
            self.destroy_entity(publisher.events)
        delete(publisher.writer)
        if self.context.ok():
            self.context.graph.announce()
        return True

    def destroy_entity(self, entity: Entity) -> bool:
        """Destroy a subscription, service, client, timer or guard condition; False when it is not of this node."""
        with self._lock:
            if entity not in self._entities:
                return False
            self._entities.remove(entity)
            dds_entities = entity.dds_entities()
            announcement = self._announcement
            announcement.readers = [reader for reader in announcement.readers if reader not in dds_entities]
            announcement.writers = [writer for writer in announcement.writers if writer not in dds_entities]
            entity._destroyed = True
        if entity.events is not None:
            self.destroy_entity(entity.events)
        entity.callback_group.remove_entity(entity)
        self.wake_executor()
        for dds_entity in dds_entities:
            delete(dds_entity)
        if dds_entities and self.context.ok():
            self.context.graph.announce()
        return True

    def destroy_subscription(self, subscription: Subscription) -> bool:
        """Destroy a subscription."""
        return self.destroy_entity(subscription)

    def destroy_service(self, service: Service) -> bool:
        """Destroy a service server."""
        return self.destroy_entity(service)

    def destroy_client(self, client: Client) -> bool:
        """Destroy a service client."""
        return self.destroy_entity(client)

    def destroy_timer(self, timer: Timer) -> bool:
        """Destroy a timer."""
        return self.destroy_entity(timer)

    def destroy_guard_condition(self, guard: GuardCondition) -> bool:
        """Destroy a guard condition."""
        return self.destroy_entity(guard)

    def destroy_rate(self, rate: Rate) -> bool:
        """Nothing to free."""
        return True

    def destroy_node(self) -> None:
        """Leave the graph and destroy everything that belongs to the node."""
        if self._announcement is None:
            return
        if self.executor is not None:
            self.executor.remove_node(self)
        rosout_sinks.pop(self._logger.name, None)
        announcement, self._announcement.readers, self._announcement.writers = self._announcement, [], []
        if self.context.ok():
            self.context.graph.remove_node(announcement)
        for entity in self.executable_entities():
            self.destroy_entity(entity)
        for publisher in list(self._publishers):
            self.destroy_publisher(publisher)
        self._announcement = None  # type: ignore[assignment]
        self.context.track_node(-1)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.destroy_node()

    # Logging

    def _publish_log(self, name: str, severity: LoggingSeverity, text: str, stamp: int, caller: Any) -> None:
        if not self.context.ok() or self._rosout._destroyed:
            return
        seconds, nanoseconds = divmod(stamp, S_TO_NS)
        self._rosout.publish(
            Log(
                stamp=TimeMessage(sec=seconds, nanosec=nanoseconds),
                level=int(severity),
                name=name,
                msg=text,
                file=caller.filename,
                function=caller.function,
                line=caller.lineno,
            )
        )
