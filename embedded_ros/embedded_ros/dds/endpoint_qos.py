"""DDS quality of service of ROS endpoints, as rmw_cyclonedds sets it."""

from dataclasses import dataclass

from cyclonedds.qos import Policy, Qos

INFINITE = 2**63 - 1  # nanoseconds


@dataclass(frozen=True)
class EndpointQos:
    """The policies ROS uses. `depth` None keeps all samples; durations in nanoseconds, None for unset."""

    depth: int | None = 10
    reliable: bool = True
    transient_local: bool = False
    deadline: int | None = None
    lifespan: int | None = None
    manual_liveliness: bool = False
    lease_duration: int | None = None


def to_dds(qos: EndpointQos, user_data: str = '', ignore_own: bool = False) -> Qos:
    """DDS policies of a reader or writer; `ignore_own` leaves out endpoints of the same participant."""
    history = Policy.History.KeepAll if qos.depth is None else Policy.History.KeepLast(max(qos.depth, 1))
    liveliness = Policy.Liveliness.ManualByTopic if qos.manual_liveliness else Policy.Liveliness.Automatic
    policies = [
        history,
        Policy.WriterDataLifecycle(autodispose=False),
        Policy.DataRepresentation(use_cdrv0_representation=True),
        Policy.Reliability.Reliable(INFINITE) if qos.reliable else Policy.Reliability.BestEffort,
        Policy.Durability.TransientLocal if qos.transient_local else Policy.Durability.Volatile,
        liveliness(qos.lease_duration or INFINITE),
        Policy.Userdata(user_data.encode()),
    ]
    if qos.transient_local:
        policies.append(Policy.DurabilityService(0, history, -1, -1, -1))
    if qos.deadline:
        policies.append(Policy.Deadline(qos.deadline))
    if qos.lifespan:
        policies.append(Policy.Lifespan(qos.lifespan))
    if ignore_own:
        policies.append(Policy.IgnoreLocal.Participant)
    return Qos(*policies)


def from_dds(qos: Qos) -> EndpointQos:
    """What discovery tells about an endpoint; history is not announced, its depth reads 0."""

    def nanoseconds(policy: type, attribute: str) -> int | None:
        value = getattr(qos[policy], attribute) if policy in qos else INFINITE
        return None if value == INFINITE else value

    history = qos[Policy.History] if Policy.History in qos else None  # noqa: SIM401 - Qos has no get
    return EndpointQos(
        depth=getattr(history, 'depth', 0),
        reliable=qos[Policy.Reliability] != Policy.Reliability.BestEffort,
        transient_local=qos[Policy.Durability] == Policy.Durability.TransientLocal,
        deadline=nanoseconds(Policy.Deadline, 'deadline'),
        lifespan=nanoseconds(Policy.Lifespan, 'lifespan'),
        manual_liveliness=isinstance(qos[Policy.Liveliness], Policy.Liveliness.ManualByTopic),
        lease_duration=nanoseconds(Policy.Liveliness, 'lease_duration'),
    )
