"""Filters that join topics by their stamps."""

import itertools

import pytest
from message_filters import ApproximateTimeSynchronizer, Cache, SimpleFilter, Subscriber, TimeSynchronizer
from processes import spin_until
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String


def image(milliseconds):
    message = Image()
    message.header.stamp = Time(nanoseconds=milliseconds * 10**6).to_msg()
    return message


def stamps(messages):
    return tuple(Time.from_msg(m.header.stamp).nanoseconds // 10**6 for m in messages)


def joined(make, arrivals):
    """Feed (input, ms) pairs to a synchronizer; returns what it called back with."""
    inputs, result = [SimpleFilter(), SimpleFilter()], []
    make(inputs).registerCallback(lambda *messages: result.append(stamps(messages)))
    for index, milliseconds in arrivals:
        inputs[index].signalMessage(image(milliseconds))
    return result


@pytest.mark.parametrize('order', list(itertools.permutations([(0, 10), (1, 10), (0, 20), (1, 30)])))
def test_exact_synchronizer_joins_equal_stamps_in_any_order(order):
    assert joined(lambda inputs: TimeSynchronizer(inputs, 5), order) == [(10, 10)]


def test_exact_synchronizer_keeps_a_bounded_queue():
    arrivals = [(0, ms) for ms in range(10, 100, 10)] + [(1, 10), (1, 90)]
    assert joined(lambda inputs: TimeSynchronizer(inputs, 2), arrivals) == [(90, 90)]


def test_approximate_synchronizer_takes_the_closest_within_the_slop():
    arrivals = [(0, 100), (0, 140), (1, 130), (1, 300), (0, 260)]
    assert joined(lambda inputs: ApproximateTimeSynchronizer(inputs, 5, 0.05), arrivals) == [(140, 130), (260, 300)]
    assert joined(lambda inputs: ApproximateTimeSynchronizer(inputs, 5, 0.005), arrivals) == []


def test_headerless_messages_need_permission():
    source = SimpleFilter()
    ApproximateTimeSynchronizer([source], 5, 0.1)
    with pytest.raises(TypeError, match='String has no header'):
        source.signalMessage(String())
    allowed, result = SimpleFilter(), []
    ApproximateTimeSynchronizer([allowed], 5, 0.1, allow_headerless=True).registerCallback(result.append)
    allowed.signalMessage(String(data='x'))
    assert result == [String(data='x')]


def test_cache_answers_about_the_past():
    cache = Cache(cache_size=3)
    for milliseconds in (10, 30, 20, 40):
        cache.add(image(milliseconds))

    def at(milliseconds):
        return Time(nanoseconds=milliseconds * 10**6)

    assert stamps(cache.getInterval(at(20), at(30))) == (20, 30)
    assert stamps([cache.getElemAfterTime(at(25)), cache.getElemBeforeTime(at(25)), cache.getLast()]) == (30, 20, 40)
    assert cache.getElemBeforeTime(at(5)) is None and cache.getElemAfterTime(at(50)) is None
    assert (cache.getOldestTime().nanoseconds, cache.getLatestTime().nanoseconds) == (20 * 10**6, 40 * 10**6)


def test_topics_are_joined(ros):
    node = ros.create_node('joiner')
    result = []
    inputs = [Subscriber(node, Image, 'image'), Subscriber(node, CameraInfo, 'camera_info', qos_profile=5)]
    TimeSynchronizer(inputs, 5).registerCallback(lambda *messages: result.append(stamps(messages)))
    publishers = [node.create_publisher(Image, 'image', 5), node.create_publisher(CameraInfo, 'camera_info', 5)]
    assert spin_until(node, lambda: all(p.get_subscription_count() for p in publishers))
    publishers[0].publish(image(7))
    publishers[1].publish(CameraInfo(header=image(7).header))
    assert spin_until(node, lambda: result == [(7, 7)])
    node.destroy_node()
