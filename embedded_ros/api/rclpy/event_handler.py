"""QoS events of publishers and subscriptions: incompatible QoS, deadlines, liveliness, lost messages, matches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cyclonedds.core import DDSStatus
from cyclonedds.core import Entity as DdsEntity

from rclpy._entity import Entity
from rclpy.callback_groups import CallbackGroup
from rclpy.qos import QoSPolicyKind

if TYPE_CHECKING:
    from rclpy.node import Node

EventCallback = Callable[[Any], Any]
# DDS policy ids (OMG DDS 1.4, 2.2.3) -> ROS policies
POLICY_KINDS = {
    2: QoSPolicyKind.DURABILITY,
    4: QoSPolicyKind.DEADLINE,
    8: QoSPolicyKind.LIVELINESS,
    11: QoSPolicyKind.RELIABILITY,
    13: QoSPolicyKind.HISTORY,
    21: QoSPolicyKind.LIFESPAN,
}


@dataclass(frozen=True)
class QoSIncompatibleInfo:
    """Counts of endpoints with incompatible QoS, and the last policy that differed."""

    total_count: int
    total_count_change: int
    last_policy_kind: QoSPolicyKind


@dataclass(frozen=True)
class QoSCountInfo:
    """Counts of missed deadlines, lost liveliness or lost messages."""

    total_count: int
    total_count_change: int


@dataclass(frozen=True)
class QoSLivelinessChangedInfo:
    """Counts of publishers that are alive and that are not."""

    alive_count: int
    alive_count_change: int
    not_alive_count: int
    not_alive_count_change: int


@dataclass(frozen=True)
class QoSMatchedInfo:
    """Counts of matched endpoints."""

    total_count: int
    total_count_change: int
    current_count: int
    current_count_change: int


def _read(kind: type, status: Any) -> Any:
    if kind is QoSIncompatibleInfo:
        policy = POLICY_KINDS.get(status.last_policy_id, QoSPolicyKind.INVALID)
        return QoSIncompatibleInfo(status.total_count, status.total_count_change, policy)
    return kind(**{name: getattr(status, name) for name in kind.__dataclass_fields__})  # type: ignore[attr-defined]


# status bit -> (name of the getter of the cyclonedds entity, what the callback gets)
WRITER_EVENTS = {
    'deadline': (DDSStatus.OfferedDeadlineMissed, 'get_offered_deadline_missed_status', QoSCountInfo),
    'liveliness': (DDSStatus.LivelinessLost, 'get_liveliness_lost_status', QoSCountInfo),
    'incompatible_qos': (DDSStatus.OfferedIncompatibleQos, 'get_offered_incompatible_qos_status', QoSIncompatibleInfo),
    'matched': (DDSStatus.PublicationMatched, 'get_publication_matched_status', QoSMatchedInfo),
}
READER_EVENTS = {
    'deadline': (DDSStatus.RequestedDeadlineMissed, 'get_requested_deadline_missed_status', QoSCountInfo),
    'liveliness': (DDSStatus.LivelinessChanged, 'get_liveliness_changed_status', QoSLivelinessChangedInfo),
    'message_lost': (DDSStatus.SampleLost, 'get_sample_lost_status', QoSCountInfo),
    'incompatible_qos': (
        DDSStatus.RequestedIncompatibleQos,
        'get_requested_incompatible_qos_status',
        QoSIncompatibleInfo,
    ),
    'matched': (DDSStatus.SubscriptionMatched, 'get_subscription_matched_status', QoSMatchedInfo),
}


@dataclass
class PublisherEventCallbacks:
    """Callbacks for the events of a publisher; by default incompatible QoS is logged."""

    deadline: EventCallback | None = None
    liveliness: EventCallback | None = None
    incompatible_qos: EventCallback | None = None
    matched: EventCallback | None = None
    incompatible_type: EventCallback | None = None
    use_default_callbacks: bool = True


@dataclass
class SubscriptionEventCallbacks:
    """Callbacks for the events of a subscription; by default incompatible QoS is logged."""

    deadline: EventCallback | None = None
    liveliness: EventCallback | None = None
    message_lost: EventCallback | None = None
    incompatible_qos: EventCallback | None = None
    matched: EventCallback | None = None
    incompatible_type: EventCallback | None = None
    use_default_callbacks: bool = True


class EndpointEvents(Entity):
    """Calls back in the executor when a status of a DDS endpoint changes."""

    def __init__(
        self, node: Node, group: CallbackGroup | None, endpoint: DdsEntity, topic: str, callbacks: Any, is_writer: bool
    ):
        super().__init__(node, group)
        callbacks = callbacks or (PublisherEventCallbacks() if is_writer else SubscriptionEventCallbacks())
        if callbacks.incompatible_type is not None:
            raise NotImplementedError('embedded_ros: event callback incompatible_type')
        self._endpoint, self._topic, self._is_writer = endpoint, topic, is_writer
        self._callbacks: list[tuple[int, str, type, EventCallback]] = []
        for name, (status, getter, info) in (WRITER_EVENTS if is_writer else READER_EVENTS).items():
            callback = getattr(callbacks, name)
            if callback is None and name == 'incompatible_qos' and callbacks.use_default_callbacks:
                callback = self._log_incompatible
            if callback is not None:
                self._callbacks.append((status, getter, info, callback))
        self._mask = sum(status for status, _, _, _ in self._callbacks)
        if self._mask:
            endpoint.set_status_mask(self._mask)

    def _log_incompatible(self, info: QoSIncompatibleInfo) -> None:
        other, consequence = ('subscription', 'sent to') if self._is_writer else ('publisher', 'received from')
        self.node.get_logger().warning(
            f"New {other} discovered on topic '{self._topic}', with incompatible QoS. No messages will be "
            f'{consequence} it. Last incompatible policy: {info.last_policy_kind.name}'
        )

    def conditions(self) -> list[DdsEntity]:
        """Return the endpoint, whose status changes end a wait."""
        return [self._endpoint] if self._mask else []

    def take_work(self) -> Callable[[], Any] | None:
        """Return the calls for all changed statuses."""
        if not self._mask:
            return None
        changed = self._endpoint.take_status(self._mask)
        if not changed:
            return None
        calls = [
            (callback, _read(info, getattr(self._endpoint, getter)()))
            for status, getter, info, callback in self._callbacks
            if changed & status
        ]

        def run() -> None:
            for callback, info in calls:
                callback(info)

        return run
