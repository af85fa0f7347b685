"""Transforms: the algebra, look-ups over time, listeners and broadcasters."""

import math
import threading
import time

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from hypothesis import given
from hypothesis import strategies as st
from processes import spin_until
from rclpy.clock import ClockType
from rclpy.duration import Duration
from rclpy.time import Time
from scipy.spatial.transform import Rotation, Slerp
from tf2_py.rigid import IDENTITY, Rigid, compose, interpolate, inverse, normalized
from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    StaticTransformBroadcaster,
    TransformBroadcaster,
    TransformException,
    TransformListener,
)

coordinate = st.floats(-10, 10)
vectors = st.tuples(coordinate, coordinate, coordinate)
component = st.floats(-1, 1)
quaternions = (
    st.tuples(component, component, component, component)
    .filter(lambda q: sum(value * value for value in q) > 0.1)
    .map(normalized)
)
rigids = st.builds(Rigid, vectors, quaternions)


def matrix(rigid):
    result = np.eye(4)
    result[:3, :3] = Rotation.from_quat(rigid.rotation).as_matrix()
    result[:3, 3] = rigid.translation
    return result


@given(rigids, rigids)
def test_composition_is_the_product_of_matrices(a, b):
    np.testing.assert_allclose(matrix(compose(a, b)), matrix(a) @ matrix(b), atol=1e-9)


@given(rigids)
def test_inverse_undoes(a):
    np.testing.assert_allclose(matrix(compose(a, inverse(a))), matrix(IDENTITY), atol=1e-9)


@given(rigids, rigids, st.floats(0, 1))
def test_interpolation_agrees_with_scipy(a, b, fraction):
    if abs(sum(p * q for p, q in zip(a.rotation, b.rotation, strict=True))) < 0.01:
        return  # half a turn apart: both ways are as short
    expected = Slerp([0, 1], Rotation.from_quat([a.rotation, b.rotation]))(fraction).as_matrix()
    result = interpolate(a, b, fraction)
    np.testing.assert_allclose(matrix(result)[:3, :3], expected, atol=1e-4)
    np.testing.assert_allclose(
        result.translation, (1 - fraction) * np.array(a.translation) + fraction * np.array(b.translation), atol=1e-9
    )


def transform(parent, child, seconds=0.0, x=0.0, yaw=0.0):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = Time(seconds=seconds).to_msg()
    message.transform.translation.x = x
    message.transform.rotation.z, message.transform.rotation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message


def at(seconds):
    return Time(seconds=seconds, clock_type=ClockType.ROS_TIME)


@pytest.fixture
def buffer():
    """World -> base, which moves 1 m/s along x and turns; base -> camera, fixed; base -> arm, known for 5-6 s."""
    buffer = Buffer()
    for second in range(1, 9):
        buffer.set_transform(transform('world', 'base', second, x=float(second), yaw=second * math.pi / 16), 'test')
    buffer.set_transform_static(transform('base', 'camera', x=0.5), 'test')
    for second in (5, 6):
        buffer.set_transform(transform('base', 'arm', second, x=-1.0), 'test')
    buffer.set_transform(transform('moon', 'crater', 1), 'test')
    return buffer


def test_lookup_between_two_samples(buffer):
    result = buffer.lookup_transform('world', 'camera', at(4.5))
    yaw = 4.5 * math.pi / 16
    translation, rotation = result.transform.translation, result.transform.rotation
    assert (result.header.frame_id, result.child_frame_id) == ('world', 'camera')
    assert translation.x == pytest.approx(4.5 + 0.5 * math.cos(yaw))
    assert translation.y == pytest.approx(0.5 * math.sin(yaw))
    assert 2 * math.atan2(rotation.z, rotation.w) == pytest.approx(yaw)
    back = buffer.lookup_transform('camera', 'world', at(4.5)).transform
    assert back.translation.x == pytest.approx(-4.5 * math.cos(yaw) - 0.5)


def test_time_zero_is_the_latest_common_time(buffer):
    assert Time.from_msg(buffer.lookup_transform('world', 'arm', Time()).header.stamp) == at(6)
    assert Time.from_msg(buffer.lookup_transform('world', 'camera', Time()).header.stamp) == at(8)
    assert Time.from_msg(buffer.lookup_transform('camera', 'arm', Time()).header.stamp) == at(6)


@pytest.mark.parametrize(
    ('target', 'source', 'seconds', 'error', 'text'),
    [
        ('world', 'camera', 8.1, ExtrapolationException, 'into the future'),
        ('world', 'camera', 0.9, ExtrapolationException, 'into the past'),
        ('world', 'arm', 7, ExtrapolationException, 'into the future'),
        ('world', 'nowhere', 4, LookupException, '"nowhere"'),
        ('world', 'crater', 0, ConnectivityException, 'not part of the same tree'),
        ('/world', 'camera', 4, InvalidArgumentException, '/world'),
        ('world', '', 4, InvalidArgumentException, 'source_frame'),
    ],
)
def test_failures_are_told_apart(buffer, target, source, seconds, error, text):
    with pytest.raises(error, match=text):
        buffer.lookup_transform(target, source, at(seconds))
    assert issubclass(error, TransformException)
    possible, reason = buffer.can_transform(target, source, at(seconds), return_debug_tuple=True)
    assert not possible and text in reason


@pytest.mark.parametrize('broken', ['same', 'empty', 'nan', 'quaternion'])
def test_unusable_transforms_are_ignored(buffer, broken):
    message = transform('world', 'hand', 3)
    if broken == 'same':
        message.child_frame_id = 'world'
    elif broken == 'empty':
        message.header.frame_id = ''
    elif broken == 'nan':
        message.transform.translation.y = math.nan
    else:
        message.transform.rotation.w = 0.5
    assert not buffer.set_transform(message, 'test')
    assert 'hand' not in buffer.all_frames_as_yaml()


def test_old_transforms_are_forgotten():
    buffer = Buffer(cache_time=Duration(seconds=2))
    for second in range(1, 7):
        buffer.set_transform(transform('world', 'base', second), 'test')
    assert buffer.can_transform('world', 'base', at(4)) and not buffer.can_transform('world', 'base', at(3.9))
    assert not buffer.set_transform(transform('world', 'base', 1), 'test')
    buffer.clear()
    assert not buffer.can_transform('world', 'base', Time())


def test_waiting_for_a_transform(buffer):
    late = threading.Timer(0.2, buffer.set_transform, (transform('world', 'base', 9, x=9.0), 'test'))
    late.start()
    result = buffer.lookup_transform('world', 'base', at(8.5), timeout=Duration(seconds=5))
    assert result.transform.translation.x == pytest.approx(8.5)
    start = time.monotonic()
    assert not buffer.can_transform('world', 'base', at(20), timeout=Duration(seconds=0.2))
    assert time.monotonic() - start >= 0.2


def test_listener_hears_broadcasters(ros):
    sender, receiver = ros.create_node('sender'), ros.create_node('receiver')
    StaticTransformBroadcaster(sender).sendTransform([transform('base', 'camera', x=1.0), transform('base', 'lidar')])
    broadcaster = TransformBroadcaster(sender)
    buffer = Buffer(node=receiver)
    listener = TransformListener(buffer, receiver, spin_thread=True)
    assert spin_until(sender, lambda: broadcaster.pub_tf.get_subscription_count() == 1)
    broadcaster.sendTransform([transform('world', 'base', 5, x=2.0)])
    result = buffer.lookup_transform('world', 'camera', at(5), timeout=Duration(seconds=10))
    assert result.transform.translation.x == pytest.approx(3.0)
    assert buffer.can_transform('camera', 'lidar', Time(), timeout=Duration(seconds=10))
    listener.unregister()
    sender.destroy_node()
    receiver.destroy_node()


def test_buffer_is_cleared_when_time_jumps_back(ros):
    node = ros.create_node('bag')
    buffer = Buffer(node=node)
    clock = node.get_clock()
    clock._set_ros_time_is_active(True)
    clock.set_ros_time_override(at(10))
    buffer.set_transform(transform('world', 'base', 10), 'test')
    clock.set_ros_time_override(at(11))
    assert buffer.can_transform('world', 'base', at(10))
    clock.set_ros_time_override(at(2))
    assert not buffer.can_transform('world', 'base', at(10))
    node.destroy_node()
