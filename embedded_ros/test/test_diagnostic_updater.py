"""Diagnostics: statuses, checks, what is published."""

import math
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from diagnostic_updater import (
    CompositeDiagnosticTask,
    DiagnosticStatusWrapper,
    FrequencyStatus,
    FrequencyStatusParam,
    FunctionDiagnosticTask,
    TimeStampStatus,
    TimeStampStatusParam,
    TopicDiagnostic,
    Updater,
)
from processes import spin_until
from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from rclpy.time import Time

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@pytest.mark.parametrize(
    ('first', 'second', 'merged'),
    [
        ((OK, 'a'), (OK, 'b'), (OK, 'a; b')),
        ((OK, 'a'), (WARN, 'b'), (WARN, 'b')),
        ((WARN, 'a'), (OK, 'b'), (WARN, 'a')),
        ((WARN, 'a'), (ERROR, 'b'), (ERROR, 'a; b')),
        ((ERROR, 'a'), (WARN, 'b'), (ERROR, 'a; b')),
    ],
)
def test_summaries_are_merged(first, second, merged):
    status = DiagnosticStatusWrapper()
    status.summary(*first)
    status.mergeSummary(*second)
    assert (status.level, status.message) == merged


def test_frequency_is_judged():
    task = FrequencyStatus(FrequencyStatusParam({'min': 10.0, 'max': 20.0}, 0.1, 3))

    def judge(events, seconds):
        task.clear()
        start, _ = task._history[0]
        task._history[0] = (start - int(seconds * 1e9), 0)
        for _ in range(events):
            task.tick()
        return task.run(DiagnosticStatusWrapper())

    assert judge(15, 1).level == OK
    assert (judge(5, 1).level, judge(5, 1).message) == (WARN, 'Frequency too low.')
    assert judge(30, 1).message == 'Frequency too high.'
    assert judge(0, 1).level == ERROR
    values = {value.key: value.value for value in judge(30, 2).values}
    assert values['Events since startup'] == '30'
    assert math.isclose(float(values['Actual frequency (Hz)']), 15, rel_tol=0.01)


def test_stamps_are_judged():
    task, now = TimeStampStatus(TimeStampStatusParam(-1, 5)), ROSClock().now()

    def judge(*stamps):
        for stamp in stamps:
            task.tick(stamp)
        return task.run(DiagnosticStatusWrapper()).message

    assert judge(now.to_msg(), now) == 'Timestamps are reasonable.'
    assert judge() == 'No data since last update.'
    assert judge(now + Duration(seconds=60)) == 'Timestamps too far in future seen.'
    assert judge(now - Duration(seconds=60)) == 'Timestamps too far in past seen.'
    assert judge(Time()) == 'Zero timestamp seen.'


def test_composite_merges_its_tasks():
    composite = CompositeDiagnosticTask('all')
    composite.addTask(FunctionDiagnosticTask('a', lambda status: status.summary(OK, 'fine')))
    composite.addTask(FunctionDiagnosticTask('b', lambda status: status.summary(WARN, 'odd')))
    status = DiagnosticStatusWrapper()
    composite.run(status)
    assert (status.level, status.message) == (WARN, 'odd')


def test_updater_publishes_all_checks(ros):
    node = ros.create_node('checked', parameter_overrides=[Parameter('diagnostic_updater.period', value=0.1)])
    received = []
    node.create_subscription(DiagnosticArray, '/diagnostics', received.append, 10)
    updater = Updater(node, period=100.0)
    updater.setHardwareID('camera 1')
    updater.add('good', lambda status: status.add('number', 3))
    updater.add('broken', lambda status: 1 / 0)
    topic = TopicDiagnostic('image', updater, FrequencyStatusParam({'min': 0.1, 'max': 1e9}), TimeStampStatusParam())
    topic.tick(node.get_clock().now())
    assert updater.publisher.topic_name == '/diagnostics'
    assert spin_until(node, lambda: received and len(received[-1].status) == 3)
    statuses = {status.name: status for status in received[-1].status}
    assert statuses.keys() == {'checked: good', 'checked: broken', 'checked: image topic status'}
    assert all(status.hardware_id == 'camera 1' for status in statuses.values())
    assert statuses['checked: good'].values[0].value == '3'
    assert statuses['checked: broken'].level == ERROR and 'ZeroDivisionError' in statuses['checked: broken'].message
    assert received[-1].header.stamp.sec > time.time() - 60
    updater.removeByName('broken')
    updater.broadcast(WARN, 'all')
    assert spin_until(node, lambda: len(received[-1].status) == 2)
    node.destroy_node()
