"""The ros2 command against a lifecycle node in a process of its own."""

import signal
import subprocess
import sys
import time

import pytest
from embedded_ros.cli.main import main
from embedded_ros.cli.message_text import fill_message, to_plain
from processes import environment, needs_embedded_rclpy, node_process

needs_embedded_rclpy('its command ros2, which looks around for a second')


@pytest.fixture(scope='module')
def managed():
    with node_process('managed.py', '--ros-args', '-r', '__ns:=/robot') as process:
        yield process


@pytest.fixture
def ros2(capsys):
    """Run a command and return its exit code, standard output and standard error."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        output = capsys.readouterr()
        return code, output.out, output.err

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def wait_for_node(ros2):
    end = time.monotonic() + 20
    while '/robot/managed/transition_event' not in ros2('topic', 'list', '--spin-time', '0.3')[1]:
        assert time.monotonic() < end, 'the node did not appear'


def test_unknown_commands_and_verbs_say_what_there_is(ros2):
    for words in (['dance'], ['topic', 'dance'], ['topic']):
        code, _, error = ros2(*words)
        assert code == 2
        assert words[-1] in error or 'VERB' in error
    code, output, _ = ros2('--help')
    assert code == 0
    assert all(command in output for command in ('launch', 'run', 'topic', 'bag', 'lifecycle'))


def test_topics_are_listed(ros2, managed):
    wait_for_node(ros2)
    assert '/robot/managed/transition_event [lifecycle_msgs/msg/TransitionEvent]' in ros2('topic', 'list', '-t')[1]


def test_parameters_are_read_set_and_described(ros2, managed):
    wait_for_node(ros2)
    node = '/robot/managed'
    assert ros2('param', 'get', node, 'speed')[1] == 'Double value is: 1.0\n'
    assert ros2('param', 'set', node, 'speed', '1.5') == (0, 'Set parameter successful\n', '')
    assert ros2('param', 'get', node, 'speed', '--hide-type')[1] == '1.5\n'
    code, _, error = ros2('param', 'set', node, 'speed', '9.0')
    assert code == 1
    assert 'Setting parameter failed' in error
    assert '9.0' in error
    code, _, error = ros2('param', 'set', node, 'fail', 'refuse')
    assert "refused ['fail']" in error
    _, output, _ = ros2('param', 'describe', node, 'speed')
    assert 'Type: double\n  Description: m/s\n' in output
    assert 'Min value: 0.0\n    Max value: 2.0\n    Step: 0.5' in output
    code, _, error = ros2('param', 'get', node, 'nothing')
    assert code == 1
    assert 'nothing' in error


def test_services_are_called(ros2, managed):
    wait_for_node(ros2)
    code, output, _ = ros2('service', 'call', '/robot/managed/enable', 'std_srvs/srv/SetBool', '{data: true}')
    assert code == 0
    assert "response:\nstd_srvs.srv.SetBool_Response(success=True, message='enabled: True')" in output
    code, _, error = ros2('service', 'call', '/robot/managed/enable', 'std_srvs/srv/SetBool', '{date: true}')
    assert code == 1
    assert "has no field 'date'" in error
    code, _, error = ros2('service', 'call', '/robot/managed/enable', 'std_srvs/srv/Nothing')
    assert 'std_srvs/srv/Nothing' in error


def test_states_are_shown_and_changed(ros2, managed):
    wait_for_node(ros2)
    node = '/robot/managed'
    assert ros2('lifecycle', 'get', node)[1] == 'unconfigured [1]\n'
    code, _, error = ros2('lifecycle', 'set', node, 'activate')
    assert code == 1
    assert "Unknown transition 'activate'" in error
    assert ros2('lifecycle', 'set', node, 'configure')[1] == 'Transitioning successful\n'
    assert ros2('lifecycle', 'set', node, 'activate')[0] == 0
    assert ros2('lifecycle', 'get', node)[1] == 'active [3]\n'
    _, output, _ = ros2('topic', 'echo', f'{node}/state', '--once')
    assert output == 'data: alive\n---\n'
    _, output, _ = ros2('topic', 'echo', f'{node}/state', 'std_msgs/msg/String', '--once')
    assert output == 'data: alive\n---\n'
    assert ros2('lifecycle', 'set', node, 'deactivate')[0] == 0
    code, _, error = ros2('topic', 'echo', f'{node}/state', '--timeout', '0.5')
    assert code == 1
    assert 'no message' in error


def test_latched_messages_are_echoed():
    with node_process('echo.py'):
        command = [sys.executable, '-m', 'embedded_ros.cli', 'topic']
        latched = subprocess.run(
            [*command, 'echo', '/latched', '--once'], env=environment(), capture_output=True, text=True, timeout=60
        )
        assert latched.stdout == 'data: kept\n---\n'


def test_launch_shows_arguments_and_refuses_malformed_ones(ros2, tmp_path):
    launch_file = tmp_path / 'a.launch.py'
    launch_file.write_text(
        'from launch import LaunchDescription\n'
        'from launch.actions import DeclareLaunchArgument\n'
        'from launch.substitutions import PathJoinSubstitution\n'
        'from launch_ros.substitutions import FindPackageShare\n'
        'def generate_launch_description():\n'
        '    speed = DeclareLaunchArgument("speed", default_value="1", description="how fast", choices=["1", "2"])\n'
        '    share = PathJoinSubstitution([FindPackageShare("hand3r_ros"), "config"])\n'
        '    return LaunchDescription([speed, DeclareLaunchArgument("folder", default_value=share)])\n'
    )
    _, output, _ = ros2('launch', launch_file, '--show-args')
    assert "'speed':\n        how fast. Valid choices are: ['1', '2']\n        (default: '1')" in output
    assert "(default: PathJoin(FindPackageShare(pkg='hand3r_ros'), 'config'))" in output
    code, _, error = ros2('launch', launch_file, 'speed=2')
    assert code == 1
    assert "malformed launch argument 'speed=2'" in error
    code, _, error = ros2('launch', 'no_such_package', 'a.launch.py')
    assert "package 'no_such_package' not found" in error
    code, _, error = ros2('launch', 'hand3r_ros', 'no_such.launch.py')
    assert "file 'no_such.launch.py' was not found" in error
    code, _, error = ros2('run', 'hand3r_ros', 'no_such_program')
    assert "executable 'no_such_program' not found" in error


def test_messages_become_text_and_text_becomes_messages():
    from geometry_msgs.msg import PoseArray, PoseWithCovariance
    from sensor_msgs.msg import Image

    image = Image(data=bytes([7]) * 200)
    assert to_plain(image, False)['data'] == [*[7] * 128, '...']
    assert to_plain(image, True)['data'] == [7] * 200
    assert to_plain(PoseWithCovariance(), False)['covariance'] == [0.0] * 36
    message = PoseArray()
    fill_message(message, {'header': {'frame_id': 'map'}, 'poses': [{'position': {'x': 1}}, {}]})
    assert message.header.frame_id == 'map'
    assert message.poses[0].position.x == 1.0
    assert len(message.poses) == 2
