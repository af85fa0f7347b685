"""Times, durations, clocks, simulated time, timers."""

import time

import pytest
from builtin_interfaces.msg import Time as TimeMessage
from hypothesis import given
from hypothesis import strategies as st
from processes import spin_until
from rclpy.clock import Clock, ClockChange, ClockType, JumpThreshold, ROSClock
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage

nanoseconds = st.integers(0, 2**62)


@given(nanoseconds)
def test_times_survive_messages(value):
    stamp = Time(nanoseconds=value % (2**31 * 10**9), clock_type=ClockType.ROS_TIME)
    assert Time.from_msg(stamp.to_msg()) == stamp


@given(nanoseconds, st.integers(-(2**61), 2**61))
def test_time_arithmetic(start, span):
    one, duration = Time(nanoseconds=start), Duration(nanoseconds=span)
    if start + span >= 0:
        other = one + duration
        assert other - one == duration and other - duration == one
        assert (other > one) is (span > 0) and (other <= one) is (span <= 0)


def test_times_of_different_clocks_do_not_mix():
    with pytest.raises(TypeError, match='different clock'):
        _ = Time(clock_type=ClockType.ROS_TIME) < Time()
    with pytest.raises(TypeError):
        Time.from_msg(Duration().to_msg())
    with pytest.raises(ValueError, match='negative'):
        Time(nanoseconds=-1)
    with pytest.raises(OverflowError):
        Duration(seconds=1e10)


def test_clocks():
    assert isinstance(Clock(clock_type=ClockType.ROS_TIME), ROSClock)
    assert not isinstance(Clock(), ROSClock)
    steady = Clock(clock_type=ClockType.STEADY_TIME)
    first = steady.now()
    assert steady.now() >= first and first.clock_type == ClockType.STEADY_TIME
    assert abs(ROSClock().now().nanoseconds - time.time_ns()) < 10**9


def test_jump_callbacks_follow_their_thresholds():
    clock, seen = ROSClock(), []
    threshold = JumpThreshold(min_forward=Duration(seconds=5), min_backward=Duration(nanoseconds=-1))
    handle = clock.create_jump_callback(
        threshold,
        pre_callback=lambda: seen.append('before'),
        post_callback=lambda jump: seen.append((jump.clock_change, jump.delta.nanoseconds)),
    )

    def move(seconds):
        seen.clear()
        clock.set_ros_time_override(Time(seconds=seconds, clock_type=ClockType.ROS_TIME))
        return list(seen)

    clock._set_ros_time_is_active(True)
    assert seen[0] == 'before' and seen[1][0] == ClockChange.ROS_TIME_ACTIVATED
    assert move(10) == ['before', (ClockChange.ROS_TIME_NO_CHANGE, 10 * 10**9)]
    assert move(11) == []
    assert move(10) == ['before', (ClockChange.ROS_TIME_NO_CHANGE, -(10**9))]
    handle.unregister()
    assert move(1) == []


def publish_clock(node, publisher, seconds):
    publisher.publish(ClockMessage(clock=TimeMessage(sec=seconds)))
    assert spin_until(node, lambda: node.get_clock().now().nanoseconds == seconds * 10**9)


def test_simulated_time_drives_clock_and_timers(ros):
    node = ros.create_node('simulated', parameter_overrides=[Parameter('use_sim_time', value=True)])
    source = ros.create_node('source')
    publisher = source.create_publisher(ClockMessage, '/clock', 10)
    calls = []
    timer = node.create_timer(1.0, lambda: calls.append(node.get_clock().now().nanoseconds // 10**9))
    assert node.get_clock().ros_time_is_active and node.get_clock().now().nanoseconds == 0
    assert spin_until(node, lambda: publisher.get_subscription_count() == 1)
    publish_clock(node, publisher, 100)
    timer.reset()
    calls.clear()
    assert not spin_until(node, lambda: calls, patience=0.2)
    publish_clock(node, publisher, 101)
    assert spin_until(node, lambda: calls == [101])
    publish_clock(node, publisher, 50)  # a bag that starts again
    publish_clock(node, publisher, 51)
    assert spin_until(node, lambda: calls == [101, 51])
    node.set_parameters([Parameter('use_sim_time', value=False)])
    assert not node.get_clock().ros_time_is_active
    assert abs(node.get_clock().now().nanoseconds - time.time_ns()) < 10**9
    node.destroy_node()
    source.destroy_node()


def test_timers_keep_their_rate_stop_and_start(ros):
    node = ros.create_node('timed')
    calls = []
    timer = node.create_timer(0.05, lambda: calls.append(time.monotonic()))
    start = time.monotonic()
    assert spin_until(node, lambda: len(calls) == 10)
    assert time.monotonic() - start >= 0.5 - 0.001
    timer.cancel()
    assert timer.is_canceled() and timer.time_until_next_call() is None
    calls.clear()
    assert not spin_until(node, lambda: calls, patience=0.2)
    timer.reset()
    assert spin_until(node, lambda: calls)
    node.destroy_node()


def test_missed_periods_are_skipped(ros):
    node = ros.create_node('late')
    calls = []
    timer = node.create_timer(0.1, lambda: calls.append(1))
    time.sleep(0.55)
    assert timer.is_ready()
    ros.spin_once(node, timeout_sec=0)
    ros.spin_once(node, timeout_sec=0)
    assert len(calls) == 1
    assert 0 < timer.time_until_next_call() <= 10**8
    node.destroy_node()
