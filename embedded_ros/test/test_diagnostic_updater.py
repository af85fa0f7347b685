"""Diagnostics: what is published of the checks of a node."""

import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from diagnostic_updater import Updater
from processes import spin_until
from rclpy.parameter import Parameter


def test_updater_publishes_all_checks(ros):
    node = ros.create_node('checked', parameter_overrides=[Parameter('diagnostic_updater.period', value=0.1)])
    received = []
    node.create_subscription(DiagnosticArray, '/diagnostics', received.append, 10)
    updater = Updater(node, period=100.0)
    updater.setHardwareID('camera 1')
    updater.add('good', lambda status: status.add('number', 3))
    updater.add('broken', lambda status: 1 / 0)
    updater.add('odd', lambda status: status.summary(DiagnosticStatus.WARN, 'odd'))
    assert updater.publisher.topic_name == '/diagnostics'
    assert spin_until(node, lambda: received and len(received[-1].status) == 3)
    statuses = {status.name: status for status in received[-1].status}
    assert statuses.keys() == {'checked: good', 'checked: broken', 'checked: odd'}
    assert all(status.hardware_id == 'camera 1' for status in statuses.values())
    assert statuses['checked: good'].values[0].value == '3'
    assert (
        statuses['checked: broken'].level == DiagnosticStatus.ERROR
        and 'ZeroDivisionError' in statuses['checked: broken'].message
    )
    assert received[-1].header.stamp.sec > time.time() - 60
    assert (statuses['checked: odd'].level, statuses['checked: odd'].message) == (DiagnosticStatus.WARN, 'odd')
    node.destroy_node()
