"""Executors, callback groups, futures, contexts, signals."""

import signal
import threading
import time

import pytest
from processes import node_process, spin_until
from rclpy.context import Context
from rclpy.exceptions import NotInitializedException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.task import Future
from std_msgs.msg import String


@pytest.fixture
def node(ros):
    node = ros.create_node('worker')
    yield node
    node.destroy_node()


def test_busy_topic_does_not_starve_the_others(node):
    seen = {'busy': 0, 'quiet': 0}
    publishers = {}
    for topic in seen:
        publishers[topic] = node.create_publisher(String, topic, 100)
        count = lambda message, topic=topic: seen.__setitem__(topic, seen[topic] + 1)  # noqa: E731
        node.create_subscription(String, topic, count, 100)
    assert spin_until(node, lambda: all(p.get_subscription_count() for p in publishers.values()))
    for _ in range(50):
        publishers['busy'].publish(String())
    publishers['quiet'].publish(String())
    time.sleep(0.2)
    assert spin_until(node, lambda: seen['quiet'] == 1)
    assert seen['busy'] < 10


def test_exceptions_of_callbacks_reach_the_spinning_thread(ros, node):
    def fail():
        raise RuntimeError('on purpose')

    node.create_timer(0.01, fail)
    with pytest.raises(RuntimeError, match='on purpose'):
        spin_until(node, lambda: False)


def test_spinning_ends_with_the_future_or_the_time(ros, node):
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    future, failing = Future(), Future()
    node.create_timer(0.01, lambda: future.set_result(3))
    executor.spin_until_future_complete(future, timeout_sec=60)
    assert future.done() and future.result() == 3
    failing.set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        failing.result()
    never = Future()
    start = time.monotonic()
    executor.spin_until_future_complete(never, timeout_sec=0.2)
    assert not never.done() and 0.2 <= time.monotonic() - start < 5
    never.cancel()
    assert never.cancelled() and not never.done()
    executor.shutdown()


def test_done_callbacks_of_futures_are_called_once(ros):
    future, seen = Future(), []
    future.add_done_callback(lambda done: seen.append(done.result()))
    future.set_result(1)
    future.add_done_callback(lambda done: seen.append('late'))
    assert seen == [1, 'late']


def test_a_done_callback_that_fails_does_not_stop_who_sets_the_result(ros):
    future = Future()
    future.add_done_callback(lambda done: 1 / 0)
    with pytest.warns(UserWarning, match='division by zero'):
        future.set_result(1)
    assert future.done() and future.result() == 1


def test_entities_may_be_destroyed_while_another_thread_spins(ros, node):
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    failures = []

    def spin():
        try:
            executor.spin()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=spin)
    thread.start()
    publisher = node.create_publisher(String, 'topic', 10)
    for _ in range(30):
        subscription = node.create_subscription(String, 'topic', lambda message: None, 10)
        publisher.publish(String())
        assert node.destroy_subscription(subscription)
        assert not node.destroy_subscription(subscription)
    executor.shutdown()
    thread.join(10)
    assert not failures and not thread.is_alive()


def test_shutdown_ends_spinning(ros, node):
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    threading.Timer(0.2, node.context.try_shutdown).start()
    with pytest.raises(ExternalShutdownException):
        executor.spin()
    assert not ros.ok()
    with pytest.raises(NotInitializedException):
        ros.create_node('too_late')


@pytest.mark.parametrize('shut_down', ['rclpy', 'context'])
def test_shutdown_lets_rclpy_spin_return(ros, node, shut_down):
    threading.Timer(0.2, ros.shutdown if shut_down == 'rclpy' else node.context.try_shutdown).start()
    ros.spin(node)
    assert not ros.ok()


def test_contexts_are_independent_and_can_be_used_again(ros):
    with pytest.raises(RuntimeError, match='only be called once'):
        ros.init(args=[])
    with Context() as context:
        assert context.ok()
        node = ros.create_node('elsewhere', context=context)
        calls = []
        context.on_shutdown(lambda: calls.append(1))
        node.destroy_node()
    assert not context.ok() and calls == [1] and ros.ok()
    ros.shutdown()
    ros.init(args=[])
    assert ros.ok()


@pytest.mark.parametrize(
    ('number', 'ending'), [(signal.SIGINT, 'KeyboardInterrupt'), (signal.SIGTERM, 'ExternalShutdownException')]
)
def test_signals_end_a_process_in_order(ros, node, number, ending):
    with node_process('echo.py') as process:
        assert spin_until(node, lambda: node.count_publishers('/latched'))
        time.sleep(0.2)
        process.send_signal(number)
        output = process.communicate(timeout=20)[0]
        assert process.returncode == 0 and f'ended by {ending}' in output, output
