"""QoS of the subscriptions that commands make, and of endpoints as text."""

from __future__ import annotations

from typing import Any

INFINITE_NS = 2**63 - 1


def add_qos_options(parser: Any) -> None:
    """Add the options that override what fits the publishers."""
    parser.add_argument('--qos-reliability', choices=['reliable', 'best_effort'])
    parser.add_argument('--qos-durability', choices=['volatile', 'transient_local'])
    parser.add_argument('--qos-depth', type=int, default=10)


def subscription_qos(publishers: list[Any], options: Any = None) -> Any:
    """Return the strictest QoS that fits all publishers, so that nothing is lost or missed without need."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    def all_are(name: str, policy: Any) -> bool:
        return bool(publishers) and all(getattr(item.qos_profile, name) == policy for item in publishers)

    reliable = all_are('reliability', ReliabilityPolicy.RELIABLE)
    latched = all_are('durability', DurabilityPolicy.TRANSIENT_LOCAL)
    if getattr(options, 'qos_reliability', None):
        reliable = options.qos_reliability == 'reliable'
    if getattr(options, 'qos_durability', None):
        latched = options.qos_durability == 'transient_local'
    return QoSProfile(
        depth=getattr(options, 'qos_depth', None) or 10,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _duration(duration: Any) -> str:
    is_infinite = duration.nanoseconds in (0, INFINITE_NS)
    return 'Infinite' if is_infinite else f'{duration.nanoseconds} nanoseconds'


def describe_qos(profile: Any) -> str:
    """Return the policies, one in a line."""
    history = profile.history.name + (f' ({profile.depth})' if profile.history.name == 'KEEP_LAST' else '')
    lines = [
        f'Reliability: {profile.reliability.name}',
        f'History (Depth): {history}',
        f'Durability: {profile.durability.name}',
        f'Lifespan: {_duration(profile.lifespan)}',
        f'Deadline: {_duration(profile.deadline)}',
        f'Liveliness: {profile.liveliness.name}',
        f'Liveliness lease duration: {_duration(profile.liveliness_lease_duration)}',
    ]
    return '\n'.join('  ' + line for line in lines)
