"""Topics between processes: delivery, QoS, names, the graph."""

import array
import time

import numpy as np
import pytest
from processes import node_process, spin_until
from rcl_interfaces.msg import SetParametersResult
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.parameter import Parameter
from rclpy.qos import (
    DurabilityPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import String

IMAGES = 60


def test_reliable_images_all_arrive_unchanged_in_order(ros):
    node = ros.create_node('camera')
    received = []
    publisher = node.create_publisher(Image, 'image_in', 10)
    node.create_subscription(Image, 'image_out', received.append, 10)
    pixels = np.random.default_rng(0).integers(0, 256, 640 * 480 * 3, np.uint8).tobytes()
    with node_process('echo.py'):
        assert spin_until(node, lambda: publisher.get_subscription_count() and node.count_publishers('image_out'))
        for number in range(IMAGES):
            publisher.publish(Image(height=480, width=640, step=number, data=array.array('B', pixels)))
            spin_until(node, lambda: False, patience=1 / 30)
        assert spin_until(node, lambda: len(received) == IMAGES)
    assert [image.step for image in received] == list(range(IMAGES))
    assert all(image.data.tobytes() == pixels for image in received)
    node.destroy_node()


def test_late_subscriber_gets_the_transient_local_message_only(ros):
    node = ros.create_node('late')
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with node_process('echo.py'):
        assert node.wait_for_node('/echo', 20)
        kept, fresh = [], []
        node.create_subscription(String, 'latched', kept.append, latched)
        assert spin_until(node, lambda: kept)  # it was published: who comes from now on is late
        node.create_subscription(String, 'latched', fresh.append, 1)
        spin_until(node, lambda: fresh, patience=0.5)
        assert kept == [String(data='kept')] and not fresh
    node.destroy_node()


def test_remaps_and_namespaces_of_the_command_line(ros):
    node = ros.create_node('other')
    received = []
    node.create_subscription(String, '/robot/renamed/answer', received.append, 10)
    arguments = ['--ros-args', '-r', '__node:=renamed', '-r', '__ns:=/robot', '-r', '~/text_out:=~/answer']
    arguments += ['-r', 'somebody:image_in:=never']
    with node_process('echo.py', *arguments):
        publisher = node.create_publisher(String, '/robot/renamed/text_in', 10)
        assert spin_until(node, lambda: publisher.get_subscription_count() == 1)
        publisher.publish(String(data='hello'))
        assert spin_until(node, lambda: received) and received[0].data == 'hello'
        assert ('renamed', '/robot') in node.get_node_names_and_namespaces()
        topics = dict(node.get_topic_names_and_types())
        assert topics['/robot/image_in'] == ['sensor_msgs/msg/Image'] and '/robot/never' not in topics
    node.destroy_node()


def test_graph_tells_who_publishes_what_and_forgets_who_left(ros):
    node = ros.create_node('watcher')
    with node_process('echo.py') as process:
        assert node.wait_for_node('/echo', 20)
        assert spin_until(node, lambda: node.get_publishers_info_by_topic('/latched'))
        (info,) = node.get_publishers_info_by_topic('/latched')
        assert (info.node_name, info.topic_type) == ('echo', 'std_msgs/msg/String')
        assert info.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
        assert info.qos_profile.reliability is ReliabilityPolicy.RELIABLE
        topics = dict(node.get_topic_names_and_types())
        assert {'/image_in', '/image_out', '/echo/text_out', '/rosout', '/parameter_events'} <= topics.keys()
        assert dict(node.get_service_names_and_types())['/echo/set_parameters'] == ['rcl_interfaces/srv/SetParameters']
        process.terminate()
        assert spin_until(node, lambda: '/echo' not in node.get_fully_qualified_node_names(), patience=5)
        assert node.count_publishers('/latched') == 0
    node.destroy_node()


def test_incompatible_qos_is_reported_on_both_sides(ros):
    node = ros.create_node('mismatch')
    seen = []
    node.create_publisher(
        String,
        'topic',
        qos_profile_sensor_data,
        event_callbacks=PublisherEventCallbacks(incompatible_qos=lambda info: seen.append(('out', info))),
    )
    node.create_subscription(
        String,
        'topic',
        lambda message: None,
        10,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=lambda info: seen.append(('in', info))),
    )
    assert spin_until(node, lambda: len(seen) == 2)
    assert {side for side, _ in seen} == {'in', 'out'}
    assert all((int(info.last_policy_kind), info.total_count) == (QoSPolicyKind.RELIABILITY, 1) for _, info in seen)
    node.destroy_node()


def test_qos_can_be_overridden_by_parameters(ros):
    overrides = [
        Parameter('qos_overrides./image.subscription.reliability', value='reliable'),
        Parameter('qos_overrides./image.subscription.depth', value=7),
    ]
    node = ros.create_node('override', parameter_overrides=overrides)
    subscription = node.create_subscription(
        Image,
        'image',
        lambda message: None,
        qos_profile_sensor_data,
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
    assert subscription.qos_profile.reliability is ReliabilityPolicy.RELIABLE
    assert subscription.qos_profile.depth == 7
    assert node.describe_parameter('qos_overrides./image.subscription.depth').read_only
    node.destroy_node()


def test_a_subscription_that_is_made_again_keeps_its_overrides(ros):
    overrides = [Parameter('qos_overrides./image.subscription.reliability', value='reliable')]
    node = ros.create_node('override_again', parameter_overrides=overrides)
    options = QoSOverridingOptions.with_default_policies()
    for _ in range(2):
        subscription = node.create_subscription(
            Image, 'image', lambda message: None, qos_profile_sensor_data, qos_overriding_options=options
        )
        assert subscription.qos_profile.reliability is ReliabilityPolicy.RELIABLE
        node.destroy_subscription(subscription)
    node.destroy_node()


def test_a_profile_that_the_node_refuses_raises(ros):
    overrides = [Parameter('qos_overrides./image.subscription.depth', value=0)]
    node = ros.create_node('refuses', parameter_overrides=overrides)
    options = QoSOverridingOptions.with_default_policies(
        callback=lambda profile: SetParametersResult(successful=profile.depth > 0, reason='too shallow')
    )
    with pytest.raises(InvalidQosOverridesError, match='too shallow'):
        node.create_subscription(Image, 'image', lambda message: None, 5, qos_overriding_options=options)
    node.destroy_node()


def test_raw_subscription_and_publication(ros):
    node = ros.create_node('raw')
    received = []
    node.create_subscription(String, 'topic', received.append, 10, raw=True)
    publisher = node.create_publisher(String, 'topic', 10)
    assert spin_until(node, lambda: publisher.get_subscription_count() == 1)
    publisher.publish(serialize_message(String(data='raw')))
    assert spin_until(node, lambda: received)
    assert deserialize_message(received[0], String).data == 'raw'
    node.destroy_node()


def test_message_info_is_given_to_callbacks_that_want_it(ros):
    node = ros.create_node('info')
    received = []
    node.create_subscription(String, 'topic', lambda message, info: received.append(info), 10)
    publisher = node.create_publisher(String, 'topic', 10)
    assert spin_until(node, lambda: publisher.get_subscription_count() == 1)
    before = time.time_ns()
    publisher.publish(String())
    assert spin_until(node, lambda: received)
    assert before <= received[0]['source_timestamp'] <= received[0]['received_timestamp'] <= time.time_ns()
    node.destroy_node()


def test_wrong_use_is_refused(ros):
    node = ros.create_node('strict')
    with pytest.raises(AttributeError):
        node.create_publisher(int, 'topic', 10)
    with pytest.raises(TypeError):
        node.create_publisher(String, 'topic', 'deep')
    with pytest.raises(ros.exceptions.InvalidTopicNameException, match='topic name'):
        node.create_publisher(String, 'not valid', 10)
    with pytest.raises(RuntimeError, match='one argument'):
        node.create_subscription(String, 'topic', lambda: None, 10)
    publisher = node.create_publisher(String, 'topic', 10)
    with pytest.raises(TypeError):
        publisher.publish(Image())
    publisher.destroy()
    with pytest.raises(ros.exceptions.InvalidHandle):
        publisher.publish(String())
    node.destroy_node()
