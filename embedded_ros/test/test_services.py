"""Services: calls between processes and within one, failures, time-outs."""

import threading
import time

import pytest
from processes import call, node_process, spin_until
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import SetBool, Trigger


def test_call_between_processes(ros):
    node = ros.create_node('caller')
    with node_process('managed.py'):
        client = node.create_client(SetBool, '/managed/enable')
        response = call(node, client, SetBool.Request(data=True))
        assert (response.success, response.message) == (True, 'enabled: True')
    node.destroy_node()


def test_many_calls_get_their_own_answers(ros):
    node = ros.create_node('both')
    node.create_service(SetBool, 'echo', lambda q, r: SetBool.Response(success=q.data, message=str(q.data)))
    clients = [node.create_client(SetBool, 'echo') for _ in range(2)]
    assert all(client.wait_for_service(10) for client in clients)
    sent = [(client, number % 3 == 0) for number in range(5) for client in clients]
    futures = [(client.call_async(SetBool.Request(data=value)), value) for client, value in sent]
    assert spin_until(node, lambda: all(future.done() for future, _ in futures))
    assert all(future.result().success is value for future, value in futures)
    node.destroy_node()


def test_blocking_call_of_a_client_that_another_thread_spins(ros):
    outer, inner, caller = (ros.create_node(name) for name in ('outer', 'inner', 'caller'))
    client = inner.create_client(Trigger, 'inside')
    inner.create_service(Trigger, 'inside', lambda q, r: Trigger.Response(success=True, message='inside'))
    outer.create_service(Trigger, 'outside', lambda q, r: client.call(Trigger.Request(), timeout_sec=10))
    executors = [SingleThreadedExecutor(), SingleThreadedExecutor()]
    threads = [threading.Thread(target=executor.spin) for executor in executors]
    for executor, node, thread in zip(executors, (outer, inner), threads, strict=True):
        executor.add_node(node)
        thread.start()
    try:
        response = call(caller, caller.create_client(Trigger, 'outside'), Trigger.Request())
        assert response.message == 'inside'
    finally:
        for executor, thread in zip(executors, threads, strict=True):
            executor.shutdown()
            thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    for node in (outer, inner, caller):
        node.destroy_node()


def test_time_outs(ros):
    node = ros.create_node('patient')
    client = node.create_client(Trigger, 'nobody')
    start = time.monotonic()
    assert not client.wait_for_service(0.2)
    assert time.monotonic() - start >= 0.2
    assert client.call(Trigger.Request(), timeout_sec=0.1) is None
    with pytest.raises(TypeError):
        client.call_async(SetBool.Request())
    node.destroy_node()


def test_service_that_returns_nothing_is_an_error(ros):
    node = ros.create_node('forgetful')
    node.create_service(Trigger, 'trigger', lambda q, r: None)
    client = node.create_client(Trigger, 'trigger')
    assert client.wait_for_service(10)
    client.call_async(Trigger.Request())
    with pytest.raises(TypeError):
        spin_until(node, lambda: False)
    node.destroy_node()
