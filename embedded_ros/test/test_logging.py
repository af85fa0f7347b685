"""Loggers: format, levels, filters, /rosout."""

import time

import pytest
from processes import node_process, spin_until
from rcl_interfaces.msg import Log
from rclpy.logging import LoggingSeverity, get_logger, set_logger_level
from std_msgs.msg import String


def lines(capfd):
    return capfd.readouterr().err.splitlines()


def test_lines_have_the_format_of_ros(capfd):
    assert get_logger('some.name').warning('careful')
    (line,) = lines(capfd)
    severity, stamp, rest = line.split(' ', 2)
    assert severity == '[WARN]' and abs(float(stamp.strip('[]')) - time.time()) < 5
    assert rest == '[some.name]: careful'


def test_levels_are_inherited_from_the_closest_ancestor(capfd):
    set_logger_level('family', LoggingSeverity.ERROR)
    child = get_logger('family').get_child('child')
    assert not child.info('dropped') and child.error('written')
    child.set_level(LoggingSeverity.DEBUG)
    assert child.debug('written') and not get_logger('family').info('dropped')
    assert len(lines(capfd)) == 2
    assert not get_logger('strangers').debug('dropped')


@pytest.mark.parametrize(
    ('filters', 'expected'),
    [
        ({'once': True}, [True, False, False]),
        ({'skip_first': True}, [False, True, True]),
        ({'throttle_duration_sec': 60.0}, [True, False, False]),
        ({'throttle_duration_sec': 0.0}, [True, True, True]),
    ],
)
def test_filters_count_per_line_of_code(filters, expected):
    logger = get_logger(f'filter.{filters}')
    # Lines of their own for each case: what was logged before counts.
    line, other = (compile(f'logger.info({text!r}, **filters)', f'{text} {filters}', 'eval') for text in ('a', 'b'))
    values = {'logger': logger, 'filters': filters}
    assert [eval(line, values) for _ in range(3)] == expected  # noqa: S307 - the line above
    assert eval(other, values) is expected[0]  # noqa: S307


def test_lines_of_nodes_are_published(ros):
    node = ros.create_node('reader')
    received = []
    node.create_subscription(Log, '/rosout', received.append, 10)
    publisher = node.create_publisher(String, '/echo/text_in', 10)
    with node_process('echo.py'):
        assert spin_until(node, lambda: publisher.get_subscription_count() == 1)
        publisher.publish(String(data='hello'))
        assert spin_until(node, lambda: any('hello' in entry.msg for entry in received))
    (entry,) = (entry for entry in received if 'hello' in entry.msg)
    assert (entry.name, entry.level) == ('echo', LoggingSeverity.INFO)
    assert entry.file.endswith('echo.py') and entry.function == 'on_text' and entry.line > 0
    node.destroy_node()
