"""``ros2 topic``: list and echo."""

from __future__ import annotations

import time
from typing import Any

from .errors import CommandError
from .message_text import to_yaml
from .session import (
    Session,
    absolute,
    add_spin_time,
    import_interface,
    is_hidden,
    ros_session,
    subscription_qos,
)


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('topic', help='Various topic related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='Output a list of available topics')
    verb.add_argument('-t', '--show-types', action='store_true', help='also show the type of each topic')
    verb.add_argument('--include-hidden-topics', action='store_true', help='consider hidden topics as well')
    add_spin_time(verb)
    verb.set_defaults(run=run_list)
    verb = verbs.add_parser('echo', help='Output messages from a topic')
    verb.add_argument('topic_name')
    verb.add_argument('message_type', nargs='?', help='type; taken from the publishers where it is not given')
    verb.add_argument('--once', action='store_true', help='print the first message and exit')
    verb.add_argument('--timeout', type=float, metavar='N', help='give up after N seconds without a message')
    verb.add_argument('-f', '--full-length', action='store_true', help='do not truncate arrays and strings')
    verb.set_defaults(run=run_echo)


def run_list(options: Any) -> int:
    """Print the topics."""
    with ros_session(options.spin_time) as session:
        topics = session.node.get_topic_names_and_types()
    for name, types in sorted(topics):
        if options.include_hidden_topics or not is_hidden(name):
            print(f'{name} [{", ".join(types)}]' if options.show_types else name)
    return 0


def _type_of(session: Session, topic: str) -> str:
    """Return the type of a topic after waiting for it.

    Raises:
        CommandError: when nobody publishes or subscribes it, or its type is not unique.
    """
    types = session.wait_for(lambda: dict(session.node.get_topic_names_and_types()).get(topic, []))
    if not types:
        raise CommandError(f'topic [{topic}] does not appear to be published yet; could not determine its type')
    if len(types) > 1:
        raise CommandError(f'topic [{topic}] has more than one type: {", ".join(types)}')
    return types[0]


def run_echo(options: Any) -> int:
    """Print the messages of a topic until Ctrl-C."""
    topic = absolute(options.topic_name)
    received: list[Any] = []
    with ros_session() as session:
        message_type = import_interface(options.message_type or _type_of(session, topic))
        qos = subscription_qos(session.node.get_publishers_info_by_topic(topic))
        session.node.create_subscription(message_type, topic, received.append, qos)
        last = time.monotonic()
        while True:
            session.executor.spin_once(timeout_sec=0.5)
            for message in received:
                print(to_yaml(message, options.full_length), '---', sep='\n', flush=True)
                last = time.monotonic()
                if options.once:
                    return 0
            received.clear()
            if options.timeout is not None and time.monotonic() - last > options.timeout:
                raise CommandError(f'no message on [{topic}] within {options.timeout:g} s')
