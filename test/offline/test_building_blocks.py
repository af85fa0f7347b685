"""Parts that the runs stand on: transforms of a recording, stamps in names, message classes, serialization."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import transform
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import invert_transform, make_transform
from hand3r_ros.node import messages
from hand3r_ros.node.topics import OUTPUT_TOPICS
from hand3r_ros.offline.image_stamps import stamp_of_name
from hand3r_ros.offline.serialization import to_cdr, type_name, type_store
from hand3r_ros.offline.transforms import TransformHistory

poses = st.lists(st.floats(-2.0, 2.0), min_size=6, max_size=6).map(
    lambda v: make_transform(Rotation.from_rotvec(v[:3]).as_matrix(), np.array(v[3:]))
)


@settings(max_examples=30, deadline=None)
@given(poses, poses, poses)
def test_a_lookup_goes_through_the_common_parent(T_map_base, T_base_camera, T_base_tool):
    history = TransformHistory()
    history.add('map', 'base', 100, T_map_base, static=False)
    history.add('base', 'camera', 0, T_base_camera, static=True)
    history.add('base', 'tool', 0, T_base_tool, static=True)
    assert history.lookup('map', 'camera', 100) == pytest.approx(T_map_base @ T_base_camera, abs=1e-9)
    assert history.lookup('camera', 'tool', 555) == pytest.approx(
        invert_transform(T_base_camera) @ T_base_tool, abs=1e-9
    )
    assert history.lookup('tool', 'tool', 555) == pytest.approx(np.eye(4))


def test_between_stamps_poses_are_interpolated_and_outside_they_are_unknown():
    history = TransformHistory()
    quarter = make_transform(Rotation.from_euler('z', 90, degrees=True).as_matrix(), np.array([2.0, 0.0, 0.0]))
    history.add('map', 'base', 2_000_000_000, quarter, static=False)  # not in order
    history.add('map', 'base', 1_000_000_000, np.eye(4), static=False)
    half = history.lookup('map', 'base', 1_500_000_000)
    assert half[:3, 3] == pytest.approx([1.0, 0.0, 0.0])
    assert Rotation.from_matrix(half[:3, :3]).as_euler('zyx', degrees=True)[0] == pytest.approx(45.0)
    with pytest.raises(LookupError, match=r'known from 1\.000 s to 2\.000 s, not at 2\.500 s'):
        history.lookup('map', 'base', 2_500_000_000)
    with pytest.raises(LookupError, match="no transform connects 'map' and 'moon'"):
        history.lookup('map', 'moon', 1_500_000_000)


def test_loops_of_frames_are_refused():
    history = TransformHistory()
    history.add('a', 'b', 0, np.eye(4), static=True)
    history.add('b', 'a', 0, np.eye(4), static=True)
    with pytest.raises(LookupError, match='loop'):
        history.lookup('a', 'c', 0)


@pytest.mark.parametrize(
    ('stem', 'stamp'),
    [
        ('1403636579763555584', 1403636579763555584),  # EuRoC
        ('1305031102.175304', 1305031102175304000),  # TUM
        ('1305031102.5', 1305031102500000000),
        ('1400505794141322', 1400505794141322000),  # Oxford RobotCar
        ('1699999999999', 1699999999999000000),
        ('000123', None),
        ('0000000005', None),  # KITTI
        ('0000000000000000123', None),
        ('20230914153000123', None),  # a date
        ('1305031102', None),
        ('frame_1403636579763555584', None),
        ('\u0661403636579763555584', None),
    ],
)
def test_stamps_in_names(stem, stamp):
    assert stamp_of_name(stem) == stamp


@pytest.mark.parametrize('topic', OUTPUT_TOPICS, ids=lambda topic: topic.name)
def test_every_output_type_is_serialized(topic):
    name = type_name(topic.message_type)
    read = type_store().deserialize_cdr(to_cdr(topic.message_type()), name)
    assert type(read).__name__ == name.replace('/', '__')


def test_messages_of_real_ros_are_serialized_too():
    """Its classes live in modules like ``tf2_msgs.msg._tf_message`` and know nothing of rosbags."""
    ours = transform(3, 'map', 'base', np.eye(4))

    def real(message):
        values = {
            field: [real(item) for item in value]
            if isinstance(value, list)
            else real(value)
            if hasattr(type(value), 'get_fields_and_field_types')
            else value
            for field in type(message).get_fields_and_field_types()
            for value in [getattr(message, field)]
        }
        package = type_name(type(message)).split('/')[0]
        class_ = type(type(message).__name__, (), {'__module__': f'{package}.msg._{type(message).__name__.lower()}'})
        result = class_()
        vars(result).update(values)
        return result

    assert to_cdr(real(ours)) == to_cdr(ours)
    assert messages.time_from_nanoseconds(5).nanosec == 5


WITHOUT_ROS = """
import sys
from importlib.machinery import PathFinder
installed = PathFinder.find_spec
ros = ('rclpy', 'tf2_ros', 'cyclonedds')
def without_ros(name, path=None, target=None):
    package = name.split('.')[0]
    hidden = package in ros or package.endswith(('_msgs', '_srvs', '_interfaces'))
    return None if hidden else installed(name, path, target)
PathFinder.find_spec = without_ros
sys.meta_path[:] = [f for f in sys.meta_path if 'embedded_ros' not in type(f).__module__]
for name in [n for n in sys.modules if n.split('.')[0] in ('embedded_ros', 'hand3r_msgs')]:
    del sys.modules[name]
sys.path[:] = [p for p in sys.path if not p.rstrip('/').endswith('embedded_ros')]
try:
    from hand3r_msgs.msg import HandMesh
    raise SystemExit('the message classes were there already')
except ImportError:
    pass
from hand3r_ros.offline.message_classes import require_message_classes
require_message_classes()
import hand3r_ros.offline.command
from hand3r_msgs.msg import HandMesh
loaded = [name for name in sys.modules if name.split('.')[0] in ('rclpy', 'cyclonedds', 'tf2_ros')]
raise SystemExit(f'{loaded} were imported' if loaded else 0)
"""


def test_neither_ros_nor_a_middleware_is_needed():
    done = subprocess.run([sys.executable, '-c', WITHOUT_ROS], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
