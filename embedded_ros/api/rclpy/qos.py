"""Quality of service profiles."""

# ruff: noqa: N818 - ROS 2 gave the exceptions their names
from __future__ import annotations

from enum import IntEnum
from typing import Any

from embedded_ros.dds.endpoint_qos import EndpointQos

from rclpy.duration import Duration


class InvalidQoSProfileException(Exception):
    """A profile with a missing setting."""

    def __init__(self, *args: Any):
        super().__init__('Invalid QoSProfile', *args)


class _PolicyEnum(IntEnum):
    @classmethod
    def short_keys(cls) -> list[str]:
        """Names as used on command lines."""
        return [name.lower() for name in cls.__members__ if name != 'UNKNOWN']

    @classmethod
    def get_from_short_key(cls, name: str) -> int:
        """Value of a name as used on command lines."""
        return cls[name.upper()].value

    @property
    def short_key(self) -> str:
        """Name as used on command lines."""
        return self.name.lower()


class HistoryPolicy(_PolicyEnum):
    """How many samples are kept."""

    SYSTEM_DEFAULT = 0
    KEEP_LAST = 1
    KEEP_ALL = 2
    UNKNOWN = 3


class ReliabilityPolicy(_PolicyEnum):
    """Whether lost samples are sent again."""

    SYSTEM_DEFAULT = 0
    RELIABLE = 1
    BEST_EFFORT = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class DurabilityPolicy(_PolicyEnum):
    """Whether late subscribers get earlier samples."""

    SYSTEM_DEFAULT = 0
    TRANSIENT_LOCAL = 1
    VOLATILE = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class LivelinessPolicy(_PolicyEnum):
    """How a publisher shows that it is alive."""

    SYSTEM_DEFAULT = 0
    AUTOMATIC = 1
    MANUAL_BY_TOPIC = 3
    UNKNOWN = 4
    BEST_AVAILABLE = 5


QoSHistoryPolicy = HistoryPolicy
QoSReliabilityPolicy = ReliabilityPolicy
QoSDurabilityPolicy = DurabilityPolicy
QoSLivelinessPolicy = LivelinessPolicy


class QoSPolicyKind(IntEnum):
    """The single settings of a profile."""

    INVALID = 1 << 0
    DURABILITY = 1 << 1
    DEADLINE = 1 << 2
    LIVELINESS = 1 << 3
    RELIABILITY = 1 << 4
    HISTORY = 1 << 5
    LIFESPAN = 1 << 6
    DEPTH = 1 << 7
    LIVELINESS_LEASE_DURATION = 1 << 8
    AVOID_ROS_NAMESPACE_CONVENTIONS = 1 << 9


class QoSProfile:
    """Settings of a publisher, subscription, service or client; `history` or `depth` has to be given."""

    __slots__ = (
        'avoid_ros_namespace_conventions',
        'deadline',
        'depth',
        'durability',
        'history',
        'lifespan',
        'liveliness',
        'liveliness_lease_duration',
        'reliability',
    )
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, **settings: Any):
        unknown = set(settings) - set(self.__slots__)
        if unknown:
            raise AssertionError(f'Invalid arguments passed to constructor: {sorted(unknown)}')
        if 'history' not in settings and 'depth' not in settings:
            raise InvalidQoSProfileException('History and/or depth settings are required.')
        if settings.get('history') == HistoryPolicy.KEEP_LAST and 'depth' not in settings:
            raise InvalidQoSProfileException('History set to KEEP_LAST without a depth setting.')
        if settings.get('depth', 0) < 0:
            raise ValueError('history depth must be greater than or equal to zero')
        self.history = HistoryPolicy(settings.get('history', HistoryPolicy.KEEP_LAST))
        self.depth = int(settings.get('depth', 0))
        self.reliability = ReliabilityPolicy(settings.get('reliability', ReliabilityPolicy.RELIABLE))
        self.durability = DurabilityPolicy(settings.get('durability', DurabilityPolicy.VOLATILE))
        self.liveliness = LivelinessPolicy(settings.get('liveliness', LivelinessPolicy.SYSTEM_DEFAULT))
        self.lifespan: Duration = settings.get('lifespan', Duration())
        self.deadline: Duration = settings.get('deadline', Duration())
        self.liveliness_lease_duration: Duration = settings.get('liveliness_lease_duration', Duration())
        self.avoid_ros_namespace_conventions = bool(settings.get('avoid_ros_namespace_conventions', False))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QoSProfile) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __repr__(self) -> str:
        return f'rclpy.qos.QoSProfile({", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)})'

    def to_endpoint_qos(self, is_writer: bool) -> EndpointQos:
        """Return the same settings for the DDS side; system defaults are those of DDS."""
        for policy in (self.reliability, self.durability, self.liveliness):
            if policy.name == 'BEST_AVAILABLE':
                raise NotImplementedError('embedded_ros: QoS policy BEST_AVAILABLE')
        system_default = self.reliability is ReliabilityPolicy.SYSTEM_DEFAULT
        reliable = is_writer if system_default else self.reliability is not ReliabilityPolicy.BEST_EFFORT
        return EndpointQos(
            depth=None if self.history is HistoryPolicy.KEEP_ALL else max(self.depth, 1),
            reliable=reliable,
            transient_local=self.durability is DurabilityPolicy.TRANSIENT_LOCAL,
            deadline=self.deadline.nanoseconds or None,
            lifespan=self.lifespan.nanoseconds or None,
            manual_liveliness=self.liveliness is LivelinessPolicy.MANUAL_BY_TOPIC,
            lease_duration=self.liveliness_lease_duration.nanoseconds or None,
        )

    @classmethod
    def from_endpoint_qos(cls, qos: EndpointQos) -> QoSProfile:
        """Return the profile of a discovered endpoint; history is unknown where it is not announced."""
        if qos.depth is None:
            history = HistoryPolicy.KEEP_ALL
        else:
            history = HistoryPolicy.KEEP_LAST if qos.depth else HistoryPolicy.UNKNOWN
        manual, reliable = qos.manual_liveliness, qos.reliable
        return cls(
            history=history,
            depth=qos.depth or 0,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if qos.transient_local else DurabilityPolicy.VOLATILE,
            liveliness=LivelinessPolicy.MANUAL_BY_TOPIC if manual else LivelinessPolicy.AUTOMATIC,
            deadline=Duration(nanoseconds=qos.deadline or 0),
            lifespan=Duration(nanoseconds=qos.lifespan or 0),
            liveliness_lease_duration=Duration(nanoseconds=qos.lease_duration or 0),
        )


qos_profile_sensor_data = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
qos_profile_services_default = QoSProfile(depth=10)
qos_profile_parameters = QoSProfile(depth=1000)
qos_profile_parameter_events = QoSProfile(depth=1000)
qos_profile_rosout_default = QoSProfile(
    depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL, lifespan=Duration(seconds=10)
)
