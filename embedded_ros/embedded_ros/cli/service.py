"""``ros2 service``: list, type and call."""

from __future__ import annotations

from typing import Any

from .errors import CommandError
from .message_text import fill_message, parse_values
from .session import Session, absolute, add_spin_time, import_interface, is_hidden, ros_session

CALL_TIMEOUT_S = 60.0


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('service', help='Various service related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='Output a list of available services')
    verb.add_argument('-t', '--show-types', action='store_true', help='also show the type of each service')
    verb.add_argument('-c', '--count-services', action='store_true', help='only show the number of services')
    verb.add_argument('--include-hidden-services', action='store_true', help='consider hidden services as well')
    add_spin_time(verb)
    verb.set_defaults(run=run_list)
    verb = verbs.add_parser('type', help="Output a service's type")
    verb.add_argument('service_name')
    verb.set_defaults(run=run_type)
    verb = verbs.add_parser('call', help='Call a service')
    verb.add_argument('service_name')
    verb.add_argument('service_type', nargs='?', help='type; taken from the server where it is not given')
    verb.add_argument('values', nargs='?', default='{}', help="fields of the request in YAML, such as '{data: true}'")
    verb.set_defaults(run=run_call)


def run_list(options: Any) -> int:
    """Print the services."""
    with ros_session(options.spin_time) as session:
        services = sorted(session.node.get_service_names_and_types())
    shown = [item for item in services if options.include_hidden_services or not is_hidden(item[0])]
    if options.count_services:
        print(len(shown))
        return 0
    for name, types in shown:
        print(f'{name} [{", ".join(types)}]' if options.show_types else name)
    return 0


def _type_of(session: Session, service: str) -> str:
    types = session.wait_for(lambda: dict(session.node.get_service_names_and_types()).get(service, []))
    if not types:
        raise CommandError(f"service '{service}' not found")
    return types[0]


def run_type(options: Any) -> int:
    """Print the type."""
    with ros_session() as session:
        print(_type_of(session, absolute(options.service_name)))
    return 0


def run_call(options: Any) -> int:
    """Call a service and print request and response."""
    service = absolute(options.service_name)
    # A first word that is no type name ('{data: true}') is the request.
    if options.service_type and options.service_type.startswith('{'):
        options.service_type, options.values = None, options.service_type
    with ros_session() as session:
        service_type = import_interface(options.service_type or _type_of(session, service))
        request = service_type.Request()
        fill_message(request, parse_values(options.values) or {})
        print(f'requester: making request: {request!r}\n', flush=True)
        response = session.call(service_type, service, request, CALL_TIMEOUT_S)
    print(f'response:\n{response!r}\n')
    return 0
