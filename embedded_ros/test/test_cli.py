"""The ros2 command against a lifecycle node in a process of its own."""

import signal
import subprocess
import sys
import time

import pytest
import yaml
from embedded_ros.cli.main import main
from embedded_ros.cli.message_text import TextOptions, fill_message, to_plain
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
    while '/robot/managed' not in ros2('node', 'list', '--spin-time', '0.3')[1]:
        assert time.monotonic() < end, 'the node did not appear'


def test_unknown_commands_and_verbs_say_what_there_is(ros2):
    for words in (['dance'], ['topic', 'dance'], ['topic']):
        code, _, error = ros2(*words)
        assert code == 2
        assert words[-1] in error or 'VERB' in error
    code, output, _ = ros2('--help')
    assert code == 0
    assert all(command in output for command in ('launch', 'run', 'topic', 'bag', 'lifecycle'))


def test_nodes_topics_and_services_are_listed(ros2, managed):
    wait_for_node(ros2)
    assert '/robot/managed\n' in ros2('node', 'list')[1]
    assert '/robot/managed/transition_event [lifecycle_msgs/msg/TransitionEvent]' in ros2('topic', 'list', '-t')[1]
    _, output, _ = ros2('node', 'info', 'robot/managed')
    servers = output.split('Service Servers:')[1].split('Service Clients:')[0]
    assert '/robot/managed/enable: std_srvs/srv/SetBool' in servers
    _, output, _ = ros2('topic', 'info', '/robot/managed/transition_event', '-v')
    assert 'Publisher count: 1' in output
    assert 'Node name: managed\nNode namespace: /robot' in output
    assert 'Reliability: RELIABLE' in output
    code, _, error = ros2('topic', 'info', '/nothing')
    assert code == 1
    assert '/nothing' in error


def test_parameters_are_read_set_described_and_dumped(ros2, managed):
    wait_for_node(ros2)
    node = '/robot/managed'
    assert '  limits.count\n' in ros2('param', 'list', node)[1]
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
    values = yaml.safe_load(ros2('param', 'dump', node)[1])[node]['ros__parameters']
    assert values['limits'] == {'count': 3}
    assert values['speed'] == 1.5
    code, _, error = ros2('param', 'get', node, 'nothing')
    assert code == 1
    assert 'nothing' in error


def test_services_are_listed_and_called(ros2, managed):
    wait_for_node(ros2)
    assert '/robot/managed/enable [std_srvs/srv/SetBool]' in ros2('service', 'list', '-t')[1]
    assert ros2('service', 'type', '/robot/managed/enable')[1] == 'std_srvs/srv/SetBool\n'
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
    assert ros2('lifecycle', 'nodes')[1] == f'{node}\n'
    assert ros2('lifecycle', 'get', node)[1] == 'unconfigured [1]\n'
    assert '- configure [1]\n\tStart: unconfigured' in ros2('lifecycle', 'list', node)[1]
    code, _, error = ros2('lifecycle', 'set', node, 'activate')
    assert code == 1
    assert "Unknown transition 'activate'" in error
    assert ros2('lifecycle', 'set', node, 'configure')[1] == 'Transitioning successful\n'
    assert ros2('lifecycle', 'set', node, 'activate')[0] == 0
    assert ros2('lifecycle', 'get')[1] == f'{node}: active [3]\n'
    _, output, _ = ros2('topic', 'echo', f'{node}/state', '--once')
    assert output == 'data: alive\n---\n'
    _, output, _ = ros2('topic', 'echo', f'{node}/state', 'std_msgs/msg/String', '--once', '--field', 'data')
    assert output == 'alive\n---\n'
    assert rate_of(f'{node}/state') > 0
    assert ros2('lifecycle', 'set', node, 'deactivate')[0] == 0
    code, _, error = ros2('topic', 'echo', f'{node}/state', '--timeout', '0.5')
    assert code == 1
    assert 'no message' in error


def rate_of(topic):
    """The first rate that ros2 topic hz shows."""
    command = [sys.executable, '-m', 'embedded_ros.cli', 'topic', 'hz', topic]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as hz:
        words = hz.stdout.readline().split(': ')
        hz.send_signal(signal.SIGINT)
    assert words[0] == 'average rate'
    assert hz.returncode == 128 + signal.SIGINT
    return float(words[1])


def test_latched_messages_are_echoed():
    with node_process('echo.py'):
        command = [sys.executable, '-m', 'embedded_ros.cli', 'topic']
        latched = subprocess.run(
            [*command, 'echo', '/latched', '--once'], env=environment(), capture_output=True, text=True, timeout=60
        )
        assert latched.stdout == 'data: kept\n---\n'


def test_interfaces_are_shown_with_their_parts(ros2):
    _, output, _ = ros2('interface', 'show', 'geometry_msgs/msg/PoseStamped')
    assert 'std_msgs/Header header\n\tbuiltin_interfaces/Time stamp\n\t\tint32 sec\n' in output
    assert ros2('interface', 'show', 'std_srvs/srv/SetBool')[1].split('\n---\n')[1].startswith('bool success')
    assert ros2('interface', 'show', 'std_msgs/msg/Nothing')[0] == 1


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

    short = TextOptions(max_length=2, arrays=True)
    assert to_plain(Image(data=bytes([1, 2, 3])), short)['data'] == [1, 2, '...']
    hidden = to_plain(PoseWithCovariance(), TextOptions(arrays=False))
    assert hidden['covariance'] == '<array type: double[36]>'
    message = PoseArray()
    fill_message(message, {'header': {'frame_id': 'map'}, 'poses': [{'position': {'x': 1}}, {}]})
    assert message.header.frame_id == 'map'
    assert message.poses[0].position.x == 1.0
    assert len(message.poses) == 2
