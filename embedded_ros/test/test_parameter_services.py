"""Parameters: declaration, ranges, overrides, callbacks, and access from other processes."""

import numpy as np
import pytest
from processes import call, node_process
from rcl_interfaces.msg import IntegerRange, ParameterDescriptor, ParameterEvent, SetParametersResult
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters, SetParametersAtomically
from rclpy._rclpy_pybind11 import RCLError, UnknownROSArgsError
from rclpy.context import Context
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterAlreadyDeclaredException,
    ParameterNotDeclaredException,
    ParameterUninitializedException,
)
from rclpy.parameter import Parameter, get_parameter_value, parameter_value_to_python


@pytest.fixture
def node(ros):
    node = ros.create_node('parameters')
    yield node
    node.destroy_node()


@pytest.mark.parametrize('value', [True, 3, 2.5, 'text', [True], [1, 2], [0.5], ['a'], [b'\x01']])
def test_values_keep_their_type_through_messages(value):
    parameter = Parameter('name', value=value)
    again = Parameter.from_parameter_msg(parameter.to_parameter_msg())
    assert (again.name, again.type_, list(np.ravel(again.value))) == ('name', parameter.type_, list(np.ravel(value)))


def test_values_that_are_no_parameters_are_refused():
    for value in ({}, [1, 'a'], object()):
        with pytest.raises(TypeError):
            Parameter('name', value=value)
    with pytest.raises(ValueError, match='do not agree'):
        Parameter('name', Parameter.Type.INTEGER, 1.5)


def test_texts_of_command_lines_become_typed_values():
    texts = {
        '1': 1,
        '1.0': 1.0,
        '1e-3': '1e-3',
        '1.0e-3': 1e-3,
        'on': True,
        'true': True,
        'hi': 'hi',
        '[1, 2]': [1, 2],
        '"3"': '3',
        '': '',
    }
    for text, value in texts.items():
        result = parameter_value_to_python(get_parameter_value(text))
        assert result == value and type(result) is type(value), text


def test_declared_parameters_are_typed(node):
    assert node.declare_parameter('rate', 10.0).value == 10.0
    with pytest.raises(ParameterAlreadyDeclaredException):
        node.declare_parameter('rate', 1.0)
    assert not node.set_parameters([Parameter('rate', value=5)])[0].successful
    assert node.set_parameters([Parameter('rate', value=5.0)])[0].successful
    assert node.get_parameter('rate').value == 5.0
    with pytest.raises(ParameterNotDeclaredException):
        node.get_parameter('unknown')
    with pytest.raises(ParameterNotDeclaredException):
        node.set_parameters([Parameter('unknown', value=1)])


def test_parameter_declared_by_type_only_needs_a_value(node):
    node.declare_parameter('path', Parameter.Type.STRING)
    with pytest.raises(ParameterUninitializedException):
        node.get_parameter('path')
    node.set_parameters([Parameter('path', value='/tmp')])
    assert node.get_parameter('path').value == '/tmp'


def test_ranges_hold_for_defaults_and_changes(node):
    descriptor = ParameterDescriptor(integer_range=[IntegerRange(from_value=0, to_value=10, step=5)])
    with pytest.raises(InvalidParameterValueException, match='out of range'):
        node.declare_parameter('number', 11, descriptor)
    node.declare_parameter('number', 5, descriptor)
    for value, accepted in ((10, True), (7, False), (-5, False), (0, True)):
        assert node.set_parameters([Parameter('number', value=value)])[0].successful is accepted


def test_overrides_must_fit(ros):
    node = ros.create_node('overridden', parameter_overrides=[Parameter('rate', value='fast')])
    with pytest.raises(InvalidParameterTypeException):
        node.declare_parameter('rate', 1.0)
    assert node.declare_parameter('rate', 1.0, ignore_override=True).value == 1.0
    node.destroy_node()


def test_read_only_parameters_keep_their_value(node):
    node.declare_parameter('device', 'cpu', ParameterDescriptor(read_only=True))
    result = node.set_parameters([Parameter('device', value='cuda')])[0]
    assert not result.successful and 'read-only' in result.reason


def test_callbacks_change_refuse_and_see_values(node):
    seen = []
    node.declare_parameter('speed', 1.0)
    node.add_pre_set_parameters_callback(lambda ps: [Parameter(p.name, value=abs(p.value)) for p in ps])
    node.add_on_set_parameters_callback(
        lambda ps: SetParametersResult(successful=all(p.value < 10 for p in ps), reason='too fast')
    )
    node.add_post_set_parameters_callback(lambda ps: seen.extend(p.value for p in ps))
    assert node.set_parameters([Parameter('speed', value=-2.0)])[0].successful
    refused = node.set_parameters([Parameter('speed', value=11.0)])[0]
    assert (refused.successful, refused.reason) == (False, 'too fast')
    assert node.get_parameter('speed').value == 2.0 and seen == [2.0]


def test_atomic_setting_sets_all_or_none(node):
    node.declare_parameters('limits', [('low', 1), ('high', 2)])
    mixed = [Parameter('limits.low', value=5), Parameter('limits.high', value='x')]
    assert not node.set_parameters_atomically(mixed).successful
    assert node.get_parameter('limits.low').value == 1
    assert {name: p.value for name, p in node.get_parameters_by_prefix('limits').items()} == {'low': 1, 'high': 2}


def test_services_of_another_process(ros):
    node = ros.create_node('asker')
    events = []
    node.create_subscription(ParameterEvent, '/parameter_events', events.append, 10)
    with node_process('managed.py', '--ros-args', '-p', 'speed:=1.5', '-p', 'managed:limits.count:=4'):

        def ask(service, **request):
            name = {
                GetParameters: 'get_parameters',
                SetParameters: 'set_parameters',
                SetParametersAtomically: 'set_parameters_atomically',
                DescribeParameters: 'describe_parameters',
                ListParameters: 'list_parameters',
            }[service]
            client = node.create_client(service, f'/managed/{name}')
            return call(node, client, service.Request(**request))

        assert not ask(GetParameters, names=['speed', 'unknown']).values
        values = ask(GetParameters, names=['speed', 'limits.count']).values
        assert [value.type for value in values] == [3, 2]
        assert (values[0].double_value, values[1].integer_value) == (1.5, 4)
        descriptor = ask(DescribeParameters, names=['speed']).descriptors[0]
        assert descriptor.description == 'm/s' and descriptor.floating_point_range[0].to_value == 2.0
        assert ask(ListParameters, prefixes=['limits']).result.names == ['limits.count']
        changes = {'speed': 9.0, 'limits.count': 2, 'device': 'cuda', 'fail': 'refuse', 'unknown': 1}
        messages = [Parameter(name, value=value).to_parameter_msg() for name, value in changes.items()]
        results = ask(SetParameters, parameters=messages).results
        assert [result.successful for result in results] == [False, True, False, False, False]
        assert 'out of range' in results[0].reason and 'refused' in results[3].reason
        assert not ask(SetParametersAtomically, parameters=messages[:2]).result.successful
        changed = [p.name for event in events if event.node == '/managed' for p in event.changed_parameters]
        assert changed == ['limits.count']
    node.destroy_node()


def test_parameter_files(tmp_path, ros):
    path = tmp_path / 'parameters.yaml'
    path.write_text(
        '/**:\n  ros__parameters:\n    shared: 1\n    nested: {deep: [0.5, 1.0e-2]}\n'
        'other:\n  ros__parameters:\n    shared: 2\n'
        'robot:\n  camera:\n    ros__parameters:\n      shared: 3\n'
    )
    arguments = ['--ros-args', '--params-file', str(path), '-p', 'late:=1e3']
    expected = {('node', ''): 1, ('other', ''): 2, ('camera', '/robot'): 3}
    for (name, namespace), shared in expected.items():
        node = ros.create_node(name, namespace=namespace, cli_args=arguments)
        assert node.declare_parameter('shared', 0).value == shared
        assert list(node.declare_parameter('nested.deep', [0.0]).value) == [0.5, 0.01]
        assert node.declare_parameter('late', 0.0).value == 1000.0
        node.destroy_node()


@pytest.mark.parametrize(
    ('rules', 'value'),
    [
        (['rate:=1', 'rate:=2'], 2),
        (['camera:rate:=1', 'rate:=2'], 2),
        (['rate:=1', 'camera:rate:=2'], 2),
        (['camera:rate:=1', 'rate:=2', 'camera:rate:=3'], 2),
    ],
)
def test_the_pattern_that_came_up_last_wins_not_the_last_value(ros, rules, value):
    arguments = ['--ros-args', *(word for rule in rules for word in ('-p', rule))]
    node = ros.create_node('camera', cli_args=arguments)
    assert node.declare_parameter('rate', 0).value == value
    node.destroy_node()


@pytest.mark.parametrize(
    'arguments',
    [
        ['-r', 'no_target'],
        ['-r', 'a b:=c'],
        ['-p'],
        ['-p', ':=1'],
        ['-p', 'a:='],
        ['-p', 'a:=[1,'],
        ['--params-file', '/nowhere.yaml'],
        ['--log-level', 'loud'],
    ],
)
def test_malformed_ros_arguments_are_named(arguments):
    context = Context()
    with pytest.raises(RCLError, match=arguments[0]):
        context.init(['--ros-args', *arguments])
    assert not context.ok()


def test_unknown_ros_arguments_are_named(ros):
    for make in (Context().init, lambda arguments: ros.create_node('unknown', cli_args=arguments)):
        with pytest.raises(UnknownROSArgsError, match='--unknown'):
            make(['--ros-args', '--unknown'])


def test_arguments_of_the_program_are_left_alone(ros):
    line = ['program', '-p', '--ros-args', '-r', 'a:=b', '--', '--fast']
    assert ros.utilities.remove_ros_args(line) == ['program', '-p', '--fast']
