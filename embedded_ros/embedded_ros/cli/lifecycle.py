"""``ros2 lifecycle``: nodes, get, list and set."""

from __future__ import annotations

from typing import Any

from .errors import CommandError
from .session import Session, add_spin_time, is_hidden, ros_session

GET_STATE_TYPE = 'lifecycle_msgs/srv/GetState'
SUFFIX = '/get_state'
TRANSITION_TIMEOUT_S = 120.0  # configuring may load large weights


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('lifecycle', help='Various lifecycle related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('nodes', help='Output a list of nodes with lifecycle')
    verb.add_argument('-a', '--all', action='store_true', help='display all nodes, hidden ones too')
    verb.add_argument('-c', '--count-nodes', action='store_true', help='only show the number of nodes')
    add_spin_time(verb)
    verb.set_defaults(run=run_nodes)
    verb = verbs.add_parser('get', help='Get lifecycle state for one or more nodes')
    verb.add_argument('node_name', nargs='?')
    add_spin_time(verb)
    verb.set_defaults(run=run_get)
    verb = verbs.add_parser('list', help='Output a list of available transitions')
    verb.add_argument('node_name')
    verb.add_argument('-a', '--all', action='store_true', help='display all transitions, not only the available ones')
    verb.set_defaults(run=run_list)
    verb = verbs.add_parser('set', help='Trigger lifecycle state transition')
    verb.add_argument('node_name')
    verb.add_argument('transition', help='label or id, such as configure')
    verb.set_defaults(run=run_set)


def _nodes(session: Session) -> list[str]:
    services = session.node.get_service_names_and_types()
    return sorted(name.removesuffix(SUFFIX) for name, types in services if GET_STATE_TYPE in types)


def _state(session: Session, node: str) -> Any:
    from lifecycle_msgs.srv import GetState

    return session.call(GetState, node + SUFFIX, GetState.Request()).current_state


def _transitions(session: Session, node: str, service: str = 'get_available_transitions') -> list[Any]:
    from lifecycle_msgs.srv import GetAvailableTransitions

    request = GetAvailableTransitions.Request()
    return list(session.call(GetAvailableTransitions, f'{node}/{service}', request).available_transitions)


def run_nodes(options: Any) -> int:
    """Print the nodes that have a lifecycle."""
    with ros_session(options.spin_time) as session:
        names = [name for name in _nodes(session) if options.all or not is_hidden(name)]
    print(len(names) if options.count_nodes else '\n'.join(names))
    return 0


def run_get(options: Any) -> int:
    """Print the state of one node or of all."""
    with ros_session(0.0 if options.node_name else options.spin_time) as session:
        if options.node_name:
            state = _state(session, session.require_node(options.node_name))
            print(f'{state.label} [{state.id}]')
            return 0
        for name in _nodes(session):
            state = _state(session, name)
            print(f'{name}: {state.label} [{state.id}]')
    return 0


def run_list(options: Any) -> int:
    """Print the transitions of a node."""
    with ros_session() as session:
        node = session.require_node(options.node_name)
        service = 'get_transition_graph' if options.all else 'get_available_transitions'
        for item in _transitions(session, node, service):
            print(f'- {item.transition.label} [{item.transition.id}]')
            print(f'\tStart: {item.start_state.label}\n\tGoal: {item.goal_state.label}')
    return 0


def run_set(options: Any) -> int:
    """Make a transition."""
    from lifecycle_msgs.srv import ChangeState

    with ros_session() as session:
        node = session.require_node(options.node_name)
        available = [item.transition for item in _transitions(session, node)]
        chosen = [item for item in available if options.transition in (item.label, str(item.id))]
        if not chosen:
            labels = ', '.join(f'{item.label} [{item.id}]' for item in available)
            raise CommandError(f"Unknown transition '{options.transition}', available ones of {node}: {labels}")
        request = ChangeState.Request()
        request.transition.id = chosen[0].id
        success = session.call(ChangeState, f'{node}/change_state', request, TRANSITION_TIMEOUT_S).success
    if not success:
        raise CommandError('Transitioning failed')
    print('Transitioning successful')
    return 0
