"""Poses from the transforms of a recording, and what the live view is shown."""

from __future__ import annotations

import numpy as np
import pytest
from recordings import header, read_bag, recording, stamp_ns, transform, write_bag
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from hand3r_ros.geometry import make_transform
from hand3r_ros.node import messages
from hand3r_ros.offline import command, live_view
from hand3r_ros.offline.command import run_offline
from hand3r_ros.offline.inputs import Selection

T_BASE_CAMERA = make_transform(Rotation.from_euler('x', -90, degrees=True).as_matrix(), np.array([0.1, 0.0, 0.3]))


def T_map_base(index):
    return make_transform(Rotation.from_euler('z', 5.0 * index, degrees=True).as_matrix(), np.array([index, 0.0, 0.0]))


@pytest.fixture
def bag_with_robot(rendered, tmp_path):
    """The base moves in the map; its pose is recorded between the images, the camera is fixed to it."""
    static = messages.transform_stamped(header(0, 'base'), 'camera_optical', T_BASE_CAMERA)
    found = [('/tf_static', stamp_ns(0), TFMessage(transforms=[static]))]
    for index in range(4):
        found.append(('/tf', stamp_ns(index), transform(index, 'map', 'base', T_map_base(index))))
    return write_bag(tmp_path / 'bag', [*found, *recording(rendered[:3])])


def test_poses_come_from_the_recording(settings, bag_with_robot):
    run = settings(bag_with_robot, pose_source='tf', world_frame='map', detector=None)
    assert run_offline(run) == 0
    found = read_bag(run.out)
    for index, (_, pose) in enumerate(found['/hand3r/camera_pose']):
        assert messages.matrix_from_pose(pose.pose) == pytest.approx(T_map_base(index) @ T_BASE_CAMERA, abs=1e-9)
        assert pose.header.frame_id == 'map'
    assert len(found['/hand3r/camera_pose']) == 3
    assert '/tf' not in found  # the pose is known already: a second parent would tear the tree


def test_the_pose_of_the_base_is_published_through_the_recorded_mounting(settings, rendered, tmp_path):
    static = messages.transform_stamped(header(0, 'base'), 'camera_optical', T_BASE_CAMERA)
    bag = write_bag(
        tmp_path / 'bag', [('/tf_static', stamp_ns(0), TFMessage(transforms=[static])), *recording(rendered[:3])]
    )
    run = settings(bag, pose_source='network', base_frame='base', detector=None)
    run_offline(run)
    found = read_bag(run.out)
    for (_, tf), (_, pose) in zip(found['/tf'], found['/hand3r/camera_pose'], strict=True):
        moved = tf.transforms[0]
        assert (moved.header.frame_id, moved.child_frame_id) == ('hand3r_world', 'base')
        T_world_camera = messages.matrix_from_transform(moved.transform) @ T_BASE_CAMERA
        assert T_world_camera == pytest.approx(messages.matrix_from_pose(pose.pose), abs=1e-6)


@pytest.mark.parametrize('frame', ['camera_optical', 'base'])
def test_a_frame_that_the_recording_places_keeps_its_parent(settings, bag_with_robot, capsys, frame):
    """Result and recording are played side by side: the world becomes a child of the frame, not its second parent."""
    base_frame = '' if frame == 'camera_optical' else frame
    run = settings(bag_with_robot, pose_source='network', base_frame=base_frame, detector=None)
    run_offline(run)
    found = read_bag(run.out)
    T_frame_camera = np.eye(4) if frame == 'camera_optical' else T_BASE_CAMERA
    for (_, tf), (_, pose) in zip(found['/tf'], found['/hand3r/camera_pose'], strict=True):
        (joint,) = tf.transforms
        assert (joint.header.frame_id, joint.child_frame_id) == (frame, 'hand3r_world')
        T_frame_world = messages.matrix_from_transform(joint.transform)
        T_world_camera = messages.matrix_from_pose(pose.pose)
        assert T_frame_world @ T_world_camera == pytest.approx(T_frame_camera, abs=1e-6)
    assert f"note: /tf: TF places '{frame}' in" in capsys.readouterr().out


def test_images_before_the_first_pose_are_skipped_and_said(settings, rendered, tmp_path, capsys):
    later = [('/tf', stamp_ns(index), transform(index, 'map', 'camera_optical', np.eye(4))) for index in (1, 2)]
    bag = write_bag(tmp_path / 'bag', [*later, *recording(rendered[:3])])
    run = settings(bag, pose_source='tf', world_frame='map', detector=None)
    assert run_offline(run) == 0
    said = capsys.readouterr().out
    assert 'skipped 1: refused by the reconstruction 1' in said and 'note: pose_source is tf' in said


class ShownScene:
    """In place of the web page."""

    address = 'http://nowhere'

    def __init__(self, port):
        self.shown = {}
        ShownScene.last = self

    def __getattr__(self, name):
        return lambda *values: self.shown.setdefault(name, []).append(values)


def test_the_live_view_is_shown_camera_hands_and_map(settings, rendered, tmp_path, monkeypatch):
    monkeypatch.setattr(live_view, 'LiveScene', ShownScene)
    monkeypatch.setattr(live_view, 'UPDATE_SECONDS', 0.0)
    monkeypatch.setattr(command, '_wait_for_interrupt', lambda: None)
    bag = write_bag(tmp_path / 'bag', recording(rendered[:2]))
    run = settings(bag, Selection(), detector=None, view=True)
    assert run_offline(run) == 0
    shown, found = ShownScene.last.shown, read_bag(run.out)
    for (T_world_camera, _, image), (_, pose) in zip(shown['show_camera'], found['/hand3r/camera_pose'], strict=True):
        assert T_world_camera == pytest.approx(messages.matrix_from_pose(pose.pose), abs=1e-6)
        assert image.shape == (160, 224, 3)
    assert [len(hands) for (hands,) in shown['show_hands']] == [len(m.hands) for _, m in found['/hand3r/hands']]
    assert len(shown['show_map'][-1][0]) == found['/hand3r/map'][-1][1].width
    assert shown['close'] == [()]
