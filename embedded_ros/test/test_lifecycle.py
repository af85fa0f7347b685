"""Lifecycle nodes: the state machine, driven from another process and from within."""

import pytest
from lifecycle_msgs.msg import State, Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState
from processes import call, node_process, spin_until
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from std_msgs.msg import String


class Remote:
    """The managed node of the other process."""

    def __init__(self, node):
        self.node = node
        self.events = []
        node.create_subscription(TransitionEvent, '/managed/transition_event', self.events.append, 10)
        self.received = []
        node.create_subscription(String, '/managed/state', self.received.append, 10)
        self.change_client = node.create_client(ChangeState, '/managed/change_state')
        self.state_client = node.create_client(GetState, '/managed/get_state')

    def change(self, label='', identifier=0):
        transition = Transition(id=identifier, label=label)
        return call(self.node, self.change_client, ChangeState.Request(transition=transition)).success

    def state(self):
        return call(self.node, self.state_client, GetState.Request()).current_state.label


@pytest.fixture
def node(ros):
    node = ros.create_node('manager')
    yield node
    node.destroy_node()


def test_whole_life_by_services(node):
    remote = Remote(node)
    with node_process('managed.py'):
        assert remote.state() == 'unconfigured'
        assert not remote.change('activate')
        assert remote.change(identifier=Transition.TRANSITION_CONFIGURE)
        assert remote.state() == 'inactive'
        assert not spin_until(node, lambda: remote.received, patience=0.3)
        assert remote.change('activate') and remote.state() == 'active'
        assert spin_until(node, lambda: remote.received)
        assert remote.change('deactivate') and remote.change('cleanup') and remote.change('shutdown')
        assert remote.state() == 'finalized'
        spin_until(node, lambda: remote.events[-1].goal_state.label == 'finalized')
        goals = [event.goal_state.label for event in remote.events]
        assert goals[:4] == ['configuring', 'inactive', 'activating', 'active']
        assert goals[-2:] == ['shuttingdown', 'finalized']


def test_a_transition_id_that_does_not_fit_the_state_ends_spinning_as_in_rclpy(ros, node):
    managed = LifecycleNode('managed')
    client = node.create_client(ChangeState, '/managed/change_state')
    assert client.wait_for_service(20)
    executor = SingleThreadedExecutor()
    executor.add_node(managed)
    for identifier in (Transition.TRANSITION_ACTIVATE, 97, 255):
        client.call_async(ChangeState.Request(transition=Transition(id=identifier)))
        with pytest.raises(RCLError):
            executor.spin()
    executor.shutdown()
    managed.destroy_node()


def test_services_list_states_and_transitions(node):
    with node_process('managed.py'):

        def ask(service, name):
            return call(node, node.create_client(service, f'/managed/{name}'), service.Request())

        labels = {state.label for state in ask(GetAvailableStates, 'get_available_states').available_states}
        assert {'unknown', 'unconfigured', 'inactive', 'active', 'finalized', 'errorprocessing'} <= labels
        possible = ask(GetAvailableTransitions, 'get_available_transitions').available_transitions
        assert sorted(entry.transition.label for entry in possible) == ['configure', 'shutdown']
        graph = ask(GetAvailableTransitions, 'get_transition_graph').available_transitions
        assert {entry.transition.id for entry in graph} >= {*range(1, 8), 10, 11, 12, 20, 30, 40, 50, 60}
        outcomes = {(e.transition.label, e.start_state.label): e.goal_state.label for e in graph}
        assert outcomes['transition_success', 'configuring'] == 'inactive'
        assert outcomes['transition_failure', 'configuring'] == 'unconfigured'
        assert outcomes['transition_error', 'activating'] == 'errorprocessing'
        assert outcomes['transition_failure', 'errorprocessing'] == 'finalized'


@pytest.mark.parametrize(
    ('outcome', 'state'), [('failure', 'unconfigured'), ('error', 'unconfigured'), ('raise', 'unconfigured')]
)
def test_failing_configuration_returns_to_unconfigured(node, outcome, state):
    remote = Remote(node)
    with node_process('managed.py', '--ros-args', '-p', f'fail:={outcome}'):
        assert not remote.change('configure')
        assert remote.state() == state
        passed = [event.goal_state.label for event in remote.events]
        assert ('errorprocessing' in passed) is (outcome != 'failure')


class Stubborn(LifecycleNode):
    def on_deactivate(self, state):
        return TransitionCallbackReturn.FAILURE

    def on_cleanup(self, state):
        return TransitionCallbackReturn.ERROR

    def on_error(self, state):
        return TransitionCallbackReturn.FAILURE


def state_of(node):
    client = node.create_client(GetState, f'{node.get_name()}/get_state')
    return call(node, client, GetState.Request()).current_state.id


def test_failures_within_the_process(ros):
    node = Stubborn('stubborn')
    with pytest.raises(RCLError, match='not registered'):
        node.trigger_activate()
    assert node.trigger_configure() is TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() is TransitionCallbackReturn.SUCCESS
    assert node.trigger_deactivate() is TransitionCallbackReturn.FAILURE
    assert state_of(node) == State.PRIMARY_STATE_ACTIVE
    assert node.trigger_shutdown() is TransitionCallbackReturn.SUCCESS
    assert state_of(node) == State.PRIMARY_STATE_FINALIZED
    node.destroy_node()


def test_error_that_is_not_handled_finalizes(ros):
    node = Stubborn('stubborn')
    node.trigger_configure()
    assert node.trigger_cleanup() is TransitionCallbackReturn.ERROR
    assert state_of(node) == State.PRIMARY_STATE_FINALIZED
    node.destroy_node()
