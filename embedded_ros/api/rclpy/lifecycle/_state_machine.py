"""The state machine of managed nodes: states, transitions and where they lead (design.ros2.org, node lifecycle).

Pure data and rules; running callbacks and publishing is the node's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from lifecycle_msgs.msg import State as StateMessage
from lifecycle_msgs.msg import Transition as TransitionMessage


class TransitionCallbackReturn(IntEnum):
    """What a transition callback returns, numbered as in lifecycle_msgs/Transition."""

    SUCCESS = 97
    FAILURE = 98
    ERROR = 99


class LifecycleState(NamedTuple):
    """A state as passed to transition callbacks."""

    label: str
    state_id: int


# Labels are those of ROS 2's state machine, e.g. PRIMARY_STATE_INACTIVE -> 'inactive'.
STATES = {
    value: LifecycleState(name.rpartition('_STATE_')[2].lower(), value)
    for name, value in vars(StateMessage).items()
    if name.startswith(('PRIMARY_STATE_', 'TRANSITION_STATE_'))
}


@dataclass(frozen=True)
class Transition:
    """A transition that can be requested: its callback and where each outcome leads."""

    id: int
    label: str
    start: int
    running: int
    callback: str
    success: int
    failure: int


_UNCONFIGURED = StateMessage.PRIMARY_STATE_UNCONFIGURED
_INACTIVE = StateMessage.PRIMARY_STATE_INACTIVE
_ACTIVE = StateMessage.PRIMARY_STATE_ACTIVE
_FINALIZED = StateMessage.PRIMARY_STATE_FINALIZED
_ERROR_PROCESSING = StateMessage.TRANSITION_STATE_ERRORPROCESSING


def _shutdown(identifier: int, start: int) -> Transition:
    running = StateMessage.TRANSITION_STATE_SHUTTINGDOWN
    return Transition(identifier, 'shutdown', start, running, 'on_shutdown', _FINALIZED, _FINALIZED)


TRANSITIONS = (
    Transition(
        TransitionMessage.TRANSITION_CONFIGURE,
        'configure',
        _UNCONFIGURED,
        StateMessage.TRANSITION_STATE_CONFIGURING,
        'on_configure',
        _INACTIVE,
        _UNCONFIGURED,
    ),
    Transition(
        TransitionMessage.TRANSITION_CLEANUP,
        'cleanup',
        _INACTIVE,
        StateMessage.TRANSITION_STATE_CLEANINGUP,
        'on_cleanup',
        _UNCONFIGURED,
        _INACTIVE,
    ),
    Transition(
        TransitionMessage.TRANSITION_ACTIVATE,
        'activate',
        _INACTIVE,
        StateMessage.TRANSITION_STATE_ACTIVATING,
        'on_activate',
        _ACTIVE,
        _INACTIVE,
    ),
    Transition(
        TransitionMessage.TRANSITION_DEACTIVATE,
        'deactivate',
        _ACTIVE,
        StateMessage.TRANSITION_STATE_DEACTIVATING,
        'on_deactivate',
        _INACTIVE,
        _ACTIVE,
    ),
    _shutdown(TransitionMessage.TRANSITION_UNCONFIGURED_SHUTDOWN, _UNCONFIGURED),
    _shutdown(TransitionMessage.TRANSITION_INACTIVE_SHUTDOWN, _INACTIVE),
    _shutdown(TransitionMessage.TRANSITION_ACTIVE_SHUTDOWN, _ACTIVE),
)

# Results have ids of their own: ON_CONFIGURE_SUCCESS = 10, ON_CONFIGURE_FAILURE = 11, ...; 60 follows for errors.
_RESULT_BASE = {
    'on_configure': TransitionMessage.TRANSITION_ON_CONFIGURE_SUCCESS,
    'on_cleanup': TransitionMessage.TRANSITION_ON_CLEANUP_SUCCESS,
    'on_activate': TransitionMessage.TRANSITION_ON_ACTIVATE_SUCCESS,
    'on_deactivate': TransitionMessage.TRANSITION_ON_DEACTIVATE_SUCCESS,
    'on_shutdown': TransitionMessage.TRANSITION_ON_SHUTDOWN_SUCCESS,
    'on_error': TransitionMessage.TRANSITION_ON_ERROR_SUCCESS,
}


def result_transition(callback: str, result: TransitionCallbackReturn) -> Any:
    """lifecycle_msgs/Transition by which the node leaves a transition state."""
    label = f'transition_{result.name.lower()}'
    return TransitionMessage(id=_RESULT_BASE[callback] + result - TransitionCallbackReturn.SUCCESS, label=label)


def goal_state(transition: Transition, result: TransitionCallbackReturn) -> int:
    """State after the callback of a transition."""
    if result is TransitionCallbackReturn.SUCCESS:
        return transition.success
    return transition.failure if result is TransitionCallbackReturn.FAILURE else _ERROR_PROCESSING


def goal_after_error(result: TransitionCallbackReturn) -> int:
    """State after the callback on_error."""
    return _UNCONFIGURED if result is TransitionCallbackReturn.SUCCESS else _FINALIZED


def result_transitions() -> list[tuple[Any, int, int]]:
    """(lifecycle_msgs/Transition, state, state after it) of all results of callbacks."""
    found: dict[tuple[int, int], tuple[Any, int, int]] = {}
    for result in TransitionCallbackReturn:
        for transition in TRANSITIONS:
            message = result_transition(transition.callback, result)
            found[message.id, transition.running] = (message, transition.running, goal_state(transition, result))
        error = result_transition('on_error', result)
        found[error.id, _ERROR_PROCESSING] = (error, _ERROR_PROCESSING, goal_after_error(result))
    return sorted(found.values(), key=lambda entry: entry[0].id)


def available(state: int) -> list[Transition]:
    """Transitions that can be requested in a state."""
    return [transition for transition in TRANSITIONS if transition.start == state]


def find_transition(state: int, identifier: int, label: str = '') -> Transition | None:
    """Transition of this label (or, without one, id) in a state, None where it is not available."""
    for transition in available(state):
        if transition.label == label if label else transition.id == identifier:
            return transition
    return None


def state_message(state: int) -> Any:
    """lifecycle_msgs/State of a state id."""
    return StateMessage(id=state, label=STATES[state].label)
