"""Recording with ros2 bag record: what is read back is what was published."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import environment, spin_until
from rosbags.highlevel import AnyReader
from std_msgs.msg import String


def record(*words):
    return subprocess.Popen(
        [sys.executable, '-m', 'embedded_ros.cli', 'bag', 'record', *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    return output


def contents(path: Path):
    found = {}
    with AnyReader([path]) as reader:
        for connection, _, raw in reader.messages():
            found.setdefault(connection.topic, []).append(reader.deserialize(raw, connection.msgtype).data)
    return found


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_records_all_topics_whatever_their_qos_until_interrupted(ros, tmp_path, storage):
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    node = ros.create_node('source')
    latched = node.create_publisher(String, 'latched', QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    latched.publish(String(data='before the recording'))
    best_effort = node.create_publisher(
        String, 'best_effort', QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    path = tmp_path / 'bag'
    recorder = record('-a', '-o', str(path), '-s', storage)
    try:
        assert spin_until(node, lambda: best_effort.get_subscription_count() == 1)
        late = node.create_publisher(String, 'late', 10)
        assert spin_until(node, lambda: late.get_subscription_count() == 1)
        sent = [f'message {number}' for number in range(20)]
        for text in sent:
            late.publish(String(data=text))
            best_effort.publish(String(data=text))
            time.sleep(0.01)
        time.sleep(0.5)
    finally:
        output = finish(recorder)
    node.destroy_node()
    assert recorder.returncode == 0, output
    found = contents(path)
    assert found['/latched'] == ['before the recording']
    assert found['/late'] == sent
    assert found['/best_effort'] == sent
    with AnyReader([path]) as reader:
        assert {c.topic: c.msgtype for c in reader.connections}['/late'] == 'std_msgs/msg/String'
    assert len(list(path.glob('*.mcap' if storage == 'mcap' else '*.db3'))) == 1


def test_records_only_the_given_topics_and_says_which_were_silent(ros, tmp_path):
    node = ros.create_node('source')
    wanted, other = (node.create_publisher(String, name, 10) for name in ('wanted', 'other'))
    path = tmp_path / 'bag'
    recorder = record('wanted', '/silent', '-o', str(path))
    try:
        assert spin_until(node, lambda: wanted.get_subscription_count() == 1)
        for publisher in (wanted, other):
            publisher.publish(String(data='x'))
        time.sleep(0.5)
    finally:
        output = finish(recorder)
    node.destroy_node()
    assert contents(path) == {'/wanted': ['x']}
    assert "Nothing was received on topic '/silent'" in output


def test_never_overwrites_a_recording(tmp_path):
    output, _ = record('-a', '-o', str(tmp_path)).communicate(timeout=60)
    assert f"output folder '{tmp_path}' already exists" in output
    output, _ = record('-o', str(tmp_path / 'new')).communicate(timeout=60)
    assert 'give either topics or -a' in output
