"""``ros2 topic``: list, info, type, echo and hz."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

from .errors import CommandError
from .message_text import TextOptions, field_of, to_yaml
from .session import Session, absolute, add_spin_time, import_interface, is_hidden, ros_session
from .topic_qos import add_qos_options, describe_qos, subscription_qos

HZ_WINDOW = 10000


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('topic', help='Various topic related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='Output a list of available topics')
    verb.add_argument('-t', '--show-types', action='store_true', help='also show the type of each topic')
    verb.add_argument('-c', '--count-topics', action='store_true', help='only show the number of topics')
    verb.add_argument('--include-hidden-topics', action='store_true', help='consider hidden topics as well')
    add_spin_time(verb)
    verb.set_defaults(run=run_list)
    verb = verbs.add_parser('info', help='Print information about a topic')
    verb.add_argument('topic_name')
    verb.add_argument('-v', '--verbose', action='store_true', help='also show nodes and QoS')
    add_spin_time(verb)
    verb.set_defaults(run=run_info)
    verb = verbs.add_parser('type', help="Print a topic's type")
    verb.add_argument('topic_name')
    verb.set_defaults(run=run_type)
    verb = verbs.add_parser('hz', help='Print the average publishing rate of a topic')
    verb.add_argument('topic_name')
    verb.add_argument('-w', '--window', type=int, default=HZ_WINDOW, help='number of messages in the average')
    add_qos_options(verb)
    verb.set_defaults(run=run_hz)
    _add_echo(verbs)


def _add_echo(verbs: Any) -> None:
    verb = verbs.add_parser('echo', help='Output messages from a topic')
    verb.add_argument('topic_name')
    verb.add_argument('message_type', nargs='?', help='type; taken from the publishers where it is not given')
    verb.add_argument('--once', action='store_true', help='print the first message and exit')
    verb.add_argument('--timeout', type=float, metavar='N', help='give up after N seconds without a message')
    verb.add_argument('--field', metavar='FIELD', help='show one field, such as header.stamp')
    verb.add_argument('-f', '--full-length', action='store_true', help='do not truncate arrays and strings')
    verb.add_argument('-l', '--truncate-length', type=int, default=128, help='length to truncate arrays and strings to')
    verb.add_argument('--no-arr', action='store_true', help="don't print array fields")
    verb.add_argument('--no-str', action='store_true', help="don't print string fields")
    add_qos_options(verb)
    verb.set_defaults(run=run_echo)


def run_list(options: Any) -> int:
    """Print the topics."""
    with ros_session(options.spin_time) as session:
        topics = session.node.get_topic_names_and_types()
    shown = [item for item in sorted(topics) if options.include_hidden_topics or not is_hidden(item[0])]
    if options.count_topics:
        print(len(shown))
        return 0
    for name, types in shown:
        print(f'{name} [{", ".join(types)}]' if options.show_types else name)
    return 0


def _types_of(session: Session, topic: str) -> list[str]:
    return dict(session.node.get_topic_names_and_types()).get(topic, [])


def _type_of(session: Session, topic: str) -> str:
    """Return the type of a topic after waiting for it.

    Raises:
        CommandError: when nobody publishes or subscribes it, or its type is not unique.
    """
    types = session.wait_for(lambda: _types_of(session, topic))
    if not types:
        raise CommandError(f'topic [{topic}] does not appear to be published yet; could not determine its type')
    if len(types) > 1:
        raise CommandError(f'topic [{topic}] has more than one type: {", ".join(types)}')
    return types[0]


def run_info(options: Any) -> int:
    """Print type, publishers and subscriptions."""
    topic = absolute(options.topic_name)
    with ros_session(options.spin_time) as session:
        types = _types_of(session, topic)
        if not types:
            raise CommandError(f"Unknown topic '{topic}'")
        publishers = session.node.get_publishers_info_by_topic(topic)
        subscriptions = session.node.get_subscriptions_info_by_topic(topic)
    gap = '\n' if options.verbose else ''
    print(f'Type: {types[0] if len(types) == 1 else types}{gap}')
    print(f'Publisher count: {len(publishers)}{gap}')
    if options.verbose:
        _print_endpoints(publishers)
    print(f'Subscription count: {len(subscriptions)}{gap}')
    if options.verbose:
        _print_endpoints(subscriptions)
    return 0


def _print_endpoints(endpoints: list[Any]) -> None:
    for endpoint in endpoints:
        print(f'Node name: {endpoint.node_name}')
        print(f'Node namespace: {endpoint.node_namespace}')
        print(f'Topic type: {endpoint.topic_type}')
        print(f'Endpoint type: {endpoint.endpoint_type.name}')
        print(f'GID: {".".join(f"{byte:02x}" for byte in endpoint.endpoint_gid)}')
        print(f'QoS profile:\n{describe_qos(endpoint.qos_profile)}\n')


def run_type(options: Any) -> int:
    """Print the type."""
    with ros_session() as session:
        print(_type_of(session, absolute(options.topic_name)))
    return 0


def run_echo(options: Any) -> int:
    """Print the messages of a topic until Ctrl-C."""
    topic = absolute(options.topic_name)
    text = TextOptions(None if options.full_length else options.truncate_length, not options.no_arr, not options.no_str)
    received: list[Any] = []
    with ros_session() as session:
        message_type = import_interface(options.message_type or _type_of(session, topic))
        qos = subscription_qos(session.node.get_publishers_info_by_topic(topic), options)
        session.node.create_subscription(message_type, topic, received.append, qos)
        last = time.monotonic()
        while True:
            session.executor.spin_once(timeout_sec=0.5)
            for message in received:
                value = field_of(message, options.field) if options.field else message
                print(to_yaml(value, text), '---', sep='\n', flush=True)
                last = time.monotonic()
                if options.once:
                    return 0
            received.clear()
            if options.timeout is not None and time.monotonic() - last > options.timeout:
                raise CommandError(f'no message on [{topic}] within {options.timeout:g} s')


def run_hz(options: Any) -> int:
    """Print the rate of a topic once a second until Ctrl-C."""
    topic = absolute(options.topic_name)
    times: list[float] = []
    with ros_session() as session:
        message_type = import_interface(_type_of(session, topic))
        qos = subscription_qos(session.node.get_publishers_info_by_topic(topic), options)
        session.node.create_subscription(
            message_type, topic, lambda data: times.append(time.monotonic()), qos, raw=True
        )
        due, reported = time.monotonic() + 1.0, 0.0
        while True:
            session.executor.spin_once(timeout_sec=0.2)
            del times[: -options.window - 1]
            if time.monotonic() < due:
                continue
            due += 1.0
            if len(times) > 1 and times[-1] != reported:
                reported = times[-1]
                _print_rate(times)
            elif times and times[-1] == reported:
                print('no new messages', flush=True)


def _print_rate(times: list[float]) -> None:
    periods = [after - before for before, after in itertools.pairwise(times)]
    print(f'average rate: {1.0 / statistics.fmean(periods):.3f}')
    spread = statistics.pstdev(periods)
    spans = f'min: {min(periods):.3f}s max: {max(periods):.3f}s std dev: {spread:.5f}s'
    print(f'\t{spans} window: {len(times)}', flush=True)
