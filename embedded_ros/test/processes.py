"""Helpers: nodes in processes of their own, and waiting for things to happen."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from embedded_ros.finder import real_ros_is_importable

PACKAGE_ROOT = Path(__file__).resolve().parent.parent
NODES = Path(__file__).resolve().parent / 'nodes'
START = 'import embedded_ros, runpy, sys; embedded_ros.install(); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")'  # noqa: E501
PATIENCE = 60.0  # seconds; only a failing test, or a very busy machine, waits that long


def needs_embedded_rclpy(what):
    """At the top of a module: skip it on a real rclpy, because it is about the subset and not about ROS 2."""
    if real_ros_is_importable():
        pytest.skip(f'a real rclpy runs, this is about the subset: {what}', allow_module_level=True)


def environment(**changes):
    paths = [str(PACKAGE_ROOT), os.environ.get('PYTHONPATH', '')]
    return os.environ | {'PYTHONPATH': os.pathsep.join(p for p in paths if p), 'PYTHONUNBUFFERED': '1'} | changes


@contextlib.contextmanager
def node_process(script, *arguments, **environment_changes):
    """Run a script of nodes/ while in the block; yields the process, whose output is text."""
    process = subprocess.Popen(
        [sys.executable, '-c', START, str(NODES / script), *arguments],
        env=environment(**environment_changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        # A killed process would stay in the graph for ten seconds, in the way of the next test.
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def spin_until(node, condition, patience=PATIENCE):
    """Run callbacks until the condition holds; returns whether it does."""
    import rclpy

    end = time.monotonic() + patience
    while not condition() and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.05)
    return bool(condition())


def call(node, client, request, patience=PATIENCE):
    """Call a service, waiting for it first."""
    import rclpy

    assert client.wait_for_service(patience), f'no service {client.srv_name}'
    time.sleep(0.3)  # that the server knows where to send its answer cannot be seen from here
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=patience)
    assert future.done(), f'no answer of {client.srv_name}'
    return future.result()
