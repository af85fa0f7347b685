"""What is about the subset itself: that it says so, what it refuses by name, its arguments, what is on the wire."""

import pytest
from processes import needs_embedded_rclpy, node_process, spin_until

needs_embedded_rclpy('names, private parts and limits of its rclpy')

from embedded_ros.dds.endpoint_qos import EndpointQos  # noqa: E402
from rclpy._arguments import node_matches, parse_ros_arguments  # noqa: E402
from rclpy._rclpy_pybind11 import RCLError  # noqa: E402
from std_msgs.msg import String  # noqa: E402


@pytest.fixture
def node(ros):
    node = ros.create_node('worker')
    yield node
    node.destroy_node()


def test_every_process_names_the_back_end_once(ros, node):
    with node_process('echo.py') as process:
        assert node.wait_for_node('/echo', 20)
        process.terminate()
        output = process.communicate(timeout=20)[0]
    assert output.count('a wire-compatible subset, not ROS 2') == 1


def test_coroutines_are_refused_by_name(ros, node):
    async def callback():
        pass

    node.create_timer(0.01, callback)
    with pytest.raises(NotImplementedError, match='coroutine'):
        spin_until(node, lambda: False)


def test_names_and_types_on_the_wire_are_those_of_rmw_cyclonedds(ros):
    node = ros.create_node('wire')
    node.create_publisher(String, 'text', 10)
    graph = node.context.graph
    writers = {endpoint.topic: endpoint for endpoint in graph.endpoints(readers=False)}
    assert writers['rt/text'].type_name == 'std_msgs/msg/String'
    assert writers['rt/text'].qos == EndpointQos(depth=10, reliable=True, transient_local=False)
    assert {'ros_discovery_info', 'rt/rosout', 'rr/wire/get_parametersReply'} <= writers.keys()
    assert 'rq/wire/get_parametersRequest' in {endpoint.topic for endpoint in graph.endpoints(readers=True)}
    # The hash of std_msgs/String as real ROS 2 nodes announce it (REP-2011).
    expected = 'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18'
    assert graph._type_hash('std_msgs/msg/String') == f'typehash={expected};'
    node.destroy_node()


def test_log_levels_of_the_command_line():
    arguments = parse_ros_arguments(['--ros-args', '--log-level', 'debug', '--log-level', 'noisy:=error'])
    assert arguments.log_levels == {'': 'debug', 'noisy': 'error'}


def test_node_patterns():
    assert node_matches('/**', '/a/b') and node_matches('/*/b', '/a/b') and node_matches('/**/b', '/b')
    assert not node_matches('b', '/a/b') and not node_matches('/*', '/a/b')


def test_a_parameter_file_without_nodes_is_refused(tmp_path):
    path = tmp_path / 'parameters.yaml'
    path.write_text('just text')
    with pytest.raises(RCLError, match='ros__parameters'):
        parse_ros_arguments(['--ros-args', '--params-file', str(path)])
