"""``ros2 lifecycle``: get and set."""

from __future__ import annotations

from typing import Any

from .errors import CommandError
from .session import ros_session

TRANSITION_TIMEOUT_S = 120.0  # configuring may load large weights


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('lifecycle', help='Various lifecycle related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('get', help='Get the lifecycle state of a node')
    verb.add_argument('node_name')
    verb.set_defaults(run=run_get)
    verb = verbs.add_parser('set', help='Trigger lifecycle state transition')
    verb.add_argument('node_name')
    verb.add_argument('transition', help='label or id, such as configure')
    verb.set_defaults(run=run_set)


def run_get(options: Any) -> int:
    """Print the state of a node."""
    from lifecycle_msgs.srv import GetState

    with ros_session() as session:
        node = session.require_node(options.node_name)
        state = session.call(GetState, f'{node}/get_state', GetState.Request()).current_state
    print(f'{state.label} [{state.id}]')
    return 0


def run_set(options: Any) -> int:
    """Make a transition."""
    from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions

    with ros_session() as session:
        node = session.require_node(options.node_name)
        question = GetAvailableTransitions.Request()
        answer = session.call(GetAvailableTransitions, f'{node}/get_available_transitions', question)
        available = [item.transition for item in answer.available_transitions]
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
