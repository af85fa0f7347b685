"""``ros2 service call``."""

from __future__ import annotations

from typing import Any

from .errors import CommandError
from .message_text import fill_message, parse_values
from .session import Session, absolute, import_interface, ros_session

CALL_TIMEOUT_S = 60.0


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('service', help='Various service related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('call', help='Call a service')
    verb.add_argument('service_name')
    verb.add_argument('service_type', nargs='?', help='type; taken from the server where it is not given')
    verb.add_argument('values', nargs='?', default='{}', help="fields of the request in YAML, such as '{data: true}'")
    verb.set_defaults(run=run_call)


def _type_of(session: Session, service: str) -> str:
    types = session.wait_for(lambda: dict(session.node.get_service_names_and_types()).get(service, []))
    if not types:
        raise CommandError(f"service '{service}' not found")
    return types[0]


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
