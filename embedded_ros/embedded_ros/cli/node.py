"""``ros2 node``: list and info."""

from __future__ import annotations

from typing import Any

from .session import add_spin_time, is_hidden, ros_session


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('node', help='Various node related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='Output a list of available nodes')
    verb.add_argument('-a', '--all', action='store_true', help='display all nodes, hidden ones too')
    verb.add_argument('-c', '--count-nodes', action='store_true', help='only show the number of nodes')
    add_spin_time(verb)
    verb.set_defaults(run=run_list)
    verb = verbs.add_parser('info', help='Output information about a node')
    verb.add_argument('node_name')
    verb.add_argument('--include-hidden', action='store_true', help='show hidden topics and services too')
    add_spin_time(verb)
    verb.set_defaults(run=run_info)


def run_list(options: Any) -> int:
    """Print the nodes."""
    with ros_session(options.spin_time) as session:
        names = session.node_names(hidden=options.all)
    print(len(names) if options.count_nodes else '\n'.join(names))
    return 0


def run_info(options: Any) -> int:
    """Print what a node subscribes, publishes, serves and calls."""
    with ros_session(options.spin_time) as session:
        full_name = session.require_node(options.node_name)
        namespace, _, name = full_name.rpartition('/')
        where = (name, namespace or '/')
        node = session.node
        sections = {
            'Subscribers': node.get_subscriber_names_and_types_by_node(*where),
            'Publishers': node.get_publisher_names_and_types_by_node(*where),
            'Service Servers': node.get_service_names_and_types_by_node(*where),
            'Service Clients': node.get_client_names_and_types_by_node(*where),
            'Action Servers': [],
            'Action Clients': [],
        }
    print(full_name)
    for title, items in sections.items():
        print(f'  {title}:')
        for item, types in items:
            if options.include_hidden or not is_hidden(item):
                print(f'    {item}: {", ".join(types)}')
    return 0
