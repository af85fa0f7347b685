"""What subscribers of the running node receive: stamps, frames, order, units, agreement between topics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from harness import CAMERA_FRAME, RELIABLE_IMAGES, RunningNode, running_node, stamp_of
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from hand3r_msgs.msg import Hand3RStatus, HandMesh, HandMeshArray, HandTopology
from hand3r_msgs.srv import SaveMap
from hand3r_ros.geometry import invert_transform, transform_points
from hand3r_ros.node import messages, messages_hands, messages_scene

TWO_HANDS = {'left': (40.0, 60.0, 130.0, 150.0), 'right': (190.0, 70.0, 280.0, 170.0)}
TOPICS = {
    '/tf': TFMessage,
    '/diagnostics': DiagnosticArray,
    '/hand3r/hands': HandMeshArray,
    '/hand3r/hands/left/wrist_pose': PoseStamped,
    '/hand3r/hands/right/wrist_pose': PoseStamped,
    '/hand3r/points': PointCloud2,
    '/hand3r/camera_pose': PoseStamped,
    '/hand3r/markers': MarkerArray,
    '/hand3r/depth/image': Image,
    '/hand3r/depth/camera_info': CameraInfo,
    '/hand3r/status': Hand3RStatus,
}
LATCHED = {'/hand3r/map': PointCloud2, '/hand3r/hand_topology': HandTopology}


@pytest.fixture(scope='module')
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('maps')


@pytest.fixture(scope='module')
def node(weights_dir: Path, maps: Path) -> Iterator[RunningNode]:
    parameters = {
        'weights_dir': weights_dir,
        **RELIABLE_IMAGES,
        'detections.wait': 5.0,
        'calibration_wait': 5.0,
        'depth.publish': True,
        'tf_hands': True,
        'points.min_confidence': 0.0,
        'map.min_confidence': 0.0,
        'map.rate_hz': 30.0,
        'map.directory': maps,
    }
    with running_node(parameters, {'ROS_PYTHON_CHECK_FIELDS': '1'}) as running:
        for topic, message_type in TOPICS.items():
            running.client.record(message_type, topic)
        for topic, message_type in LATCHED.items():
            running.client.record(message_type, topic, latched=True)
        running.create_camera()
        running.wait_for_state('active')
        running.wait_for_subscriptions()
        yield running
        assert running.close() == 0


def everything(node: RunningNode, stamp_ns: int, topics: list[str]) -> dict:
    """The messages with one stamp."""
    return {topic: node.client.message_at(topic, stamp_ns) for topic in topics}


PER_FRAME = [topic for topic in TOPICS if topic not in ('/diagnostics', '/hand3r/markers')]


def test_every_topic_carries_the_stamp_of_the_image_and_its_frame(node: RunningNode) -> None:
    got = everything(node, node.send(hands=TWO_HANDS), PER_FRAME)
    world = {'/hand3r/hands', '/hand3r/camera_pose', '/hand3r/hands/left/wrist_pose', '/hand3r/hands/right/wrist_pose'}
    camera = {'/hand3r/points', '/hand3r/depth/image', '/hand3r/depth/camera_info', '/hand3r/status'}
    assert {topic for topic in world if got[topic].header.frame_id == 'hand3r_world'} == world
    assert {topic for topic in camera if got[topic].header.frame_id == CAMERA_FRAME} == camera
    assert {mesh.header.frame_id for mesh in got['/hand3r/hands'].hands} == {'hand3r_world'}


def test_tf_is_sent_before_the_data_of_its_stamp(node: RunningNode) -> None:
    for _ in range(3):
        got = everything(node, node.send(hands=TWO_HANDS), PER_FRAME)
        sent = {topic: node.client.sending_time(topic, message) for topic, message in got.items()}
        assert min(sent, key=lambda topic: sent[topic]) == '/tf'
        assert max(sent, key=lambda topic: sent[topic]) == '/hand3r/status'


def test_the_camera_pose_is_the_transform_of_the_camera(node: RunningNode) -> None:
    got = everything(node, node.send(hands=TWO_HANDS), PER_FRAME)
    transforms = {t.child_frame_id: t for t in got['/tf'].transforms}
    assert set(transforms) == {CAMERA_FRAME, 'hand3r_left_wrist', 'hand3r_right_wrist'}
    assert {t.header.frame_id for t in transforms.values()} == {'hand3r_world'}
    pose = messages.matrix_from_pose(got['/hand3r/camera_pose'].pose)
    np.testing.assert_allclose(messages.matrix_from_transform(transforms[CAMERA_FRAME].transform), pose, atol=1e-12)
    for side in ('left', 'right'):
        wrist = messages.matrix_from_pose(got[f'/hand3r/hands/{side}/wrist_pose'].pose)
        transform = messages.matrix_from_transform(transforms[f'hand3r_{side}_wrist'].transform)
        np.testing.assert_allclose(transform, wrist, atol=1e-12)


def test_hands_keep_their_side_box_and_track_and_agree_with_themselves(node: RunningNode) -> None:
    first = node.client.message_at('/hand3r/hands', node.send(hands=TWO_HANDS))
    second = node.client.message_at('/hand3r/hands', node.send(hands=TWO_HANDS))
    for array in (first, second):
        by_side = {mesh.side: mesh for mesh in array.hands}
        assert set(by_side) == {HandMesh.LEFT, HandMesh.RIGHT}
        np.testing.assert_allclose(by_side[HandMesh.LEFT].bbox, TWO_HANDS['left'])
        for mesh in array.hands:
            vertices, keypoints = messages_hands.points_of(mesh.vertices), messages_hands.points_of(mesh.keypoints)
            assert (len(vertices), len(keypoints), mesh.hand_model) == (778, 21, 'open_hand')
            wrist = mesh.wrist.position
            np.testing.assert_allclose([wrist.x, wrist.y, wrist.z], keypoints[0], atol=1e-5)
            # Fingertips are vertices of the mesh; metres make a hand some 0.2 in size.
            distance = np.linalg.norm(vertices[None] - keypoints[[4, 8, 12, 16, 20], None], axis=2).min(axis=1)
            assert distance.max() < 1e-6
            assert 0.05 < np.ptp(vertices, axis=0).max() < 0.5
    assert {m.side: m.track_id for m in first.hands} == {m.side: m.track_id for m in second.hands}


def test_keypoints_project_to_the_keypoints_in_the_image(node: RunningNode) -> None:
    got = everything(node, node.send(hands=TWO_HANDS), ['/hand3r/hands', '/hand3r/camera_pose'])
    T_camera_world = invert_transform(messages.matrix_from_pose(got['/hand3r/camera_pose'].pose))
    for mesh in got['/hand3r/hands'].hands:
        points = transform_points(T_camera_world, messages_hands.points_of(mesh.keypoints))
        pixels = 300.0 * points[:, :2] / points[:, 2:] + [159.5, 119.5]
        np.testing.assert_allclose(pixels, messages_hands.points_of(mesh.keypoints_2d, 2), atol=0.05)


def test_a_missed_hand_is_predicted_for_a_moment_without_a_wrist(node: RunningNode) -> None:
    seen = node.client.message_at('/hand3r/hands', node.send(hands=TWO_HANDS)).hands
    predicted, stamps = [], [node.send(hands={})]
    for _ in range(2):
        predicted.append(node.client.message_at('/hand3r/hands', stamps[-1]).hands)
        node.client.message_at('/hand3r/status', stamps[-1])  # the last of the frame
        stamps.append(node.send(hands={}))
    assert len(node.client.message_at('/hand3r/hands', stamps[-1]).hands) == 0  # 0.3 s after the last evidence
    for hands in predicted:
        assert {hand.track_id for hand in hands} == {hand.track_id for hand in seen}
        assert {hand.articulation_source for hand in hands} == {HandMesh.ARTICULATION_PREDICTED}
        assert {value for hand in hands for value in hand.keypoint_confidence} == {0.0}
    scores = [max(hand.score for hand in hands) for hands in (seen, *predicted)]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == 3
    for stamp in stamps:
        assert [t.child_frame_id for t in node.client.message_at('/tf', stamp).transforms] == [CAMERA_FRAME]
        assert node.client.message_at('/hand3r/status', stamp).hands == 0
        assert node.client.find('/hand3r/hands/left/wrist_pose', stamp) is None
    assert node.set_parameter('hands.max_prediction', 0.0).successful
    try:
        node.client.message_at('/hand3r/hands', node.send(hands=TWO_HANDS))
        assert len(node.client.message_at('/hand3r/hands', node.send(hands={})).hands) == 0
    finally:
        node.set_parameter('hands.max_prediction', 0.2)


def test_no_hands_give_an_empty_array_and_no_wrist(node: RunningNode) -> None:
    for _ in range(4):  # until none of an earlier image is predicted
        stamp = node.send(hands={})
        found = node.client.message_at('/hand3r/hands', stamp).hands
    assert len(found) == 0
    transforms = node.client.message_at('/tf', stamp).transforms
    assert [t.child_frame_id for t in transforms] == [CAMERA_FRAME]
    node.client.message_at('/hand3r/status', stamp)  # the last of the frame
    assert node.client.find('/hand3r/hands/left/wrist_pose', stamp) is None


def test_depth_and_cloud_show_the_same_points_in_metres(node: RunningNode) -> None:
    got = everything(node, node.send(), ['/hand3r/depth/image', '/hand3r/depth/camera_info', '/hand3r/points'])
    image, info = got['/hand3r/depth/image'], got['/hand3r/depth/camera_info']
    assert (image.encoding, image.width, image.height) == ('32FC1', info.width, info.height)
    depth = np.frombuffer(image.data, np.float32).reshape(image.height, image.width)
    points, _ = messages_scene.cloud_arrays(got['/hand3r/points'])
    every_second = depth[::2, ::2]
    np.testing.assert_array_equal(points[:, 2], every_second[np.isfinite(every_second)])
    k = np.reshape(info.k, (3, 3))
    pixels = points[:, :2] / points[:, 2:] * [k[0, 0], k[1, 1]] + k[:2, 2]
    np.testing.assert_allclose(pixels, np.rint(pixels), atol=1e-2)  # the points lie on the rays of the pixels


def test_markers_show_both_hands_and_the_camera(node: RunningNode) -> None:
    node.send(hands=TWO_HANDS)
    namespaces = {'', 'left_mesh', 'left_skeleton', 'right_mesh', 'right_skeleton', 'camera', 'camera_path'}

    def complete() -> MarkerArray | None:
        node.client.message_at('/hand3r/hands', node.send(hands=TWO_HANDS))
        arrays = node.client.received['/hand3r/markers']
        return next((array for array in arrays if {m.ns for m in array.markers} == namespaces), None)

    array = node.client.wait(complete, 'markers of two hands')
    assert array.markers[0].action == Marker.DELETEALL
    assert {marker.header.frame_id for marker in array.markers} == {'hand3r_world'}
    assert len({stamp_of(marker) for marker in array.markers}) == 1


def test_the_topology_is_kept_for_late_joiners(node: RunningNode) -> None:
    node.client.wait(lambda: node.client.received['/hand3r/hand_topology'], 'the hand topology')
    topology = node.client.received['/hand3r/hand_topology'][0]
    assert topology.hand_model == 'open_hand' and topology.vertex_count == 778
    assert len(topology.keypoint_names) == len(topology.keypoint_parents) == 21
    assert max(topology.faces_left) == max(topology.faces_right) == 777


def test_reset_begins_a_session_and_clears_the_map(node: RunningNode) -> None:
    client = node.client
    before = client.message_at('/hand3r/status', node.send())
    client.wait(lambda: client.received['/hand3r/map'] and client.received['/hand3r/map'][-1].width > 0, 'a map')
    answer = client.call(Trigger, '/hand3r/reset', Trigger.Request())
    assert answer.success and f'session {before.session_id + 1}' in answer.message
    client.wait(lambda: client.received['/hand3r/map'][-1].width == 0, 'an empty map')
    after = client.message_at('/hand3r/status', node.send())
    assert (after.session_id, after.frame_index) == (before.session_id + 1, 0)
    cloud = client.wait(
        lambda: client.received['/hand3r/map'][-1].width and client.received['/hand3r/map'][-1], 'a map'
    )
    assert cloud.header.frame_id == 'hand3r_world'


def test_the_map_is_saved_inside_of_its_folder_only(node: RunningNode, maps: Path) -> None:
    node.client.message_at('/hand3r/status', node.send())
    saved = node.client.call(SaveMap, '/hand3r/save_map', SaveMap.Request(path='scene.ply'))
    assert saved.success and saved.points > 0
    assert f'element vertex {saved.points}\n'.encode() in (maps / 'scene.ply').read_bytes()
    refused = node.client.call(SaveMap, '/hand3r/save_map', SaveMap.Request(path='../scene.ply'))
    assert not refused.success and refused.points == 0 and 'map.directory' in refused.message
    assert not (maps.parent / 'scene.ply').exists()


def test_disabled_the_node_takes_no_image_until_it_is_enabled(node: RunningNode) -> None:
    client = node.client
    before = client.message_at('/hand3r/status', node.send())
    assert client.call(SetBool, '/hand3r/enable', SetBool.Request(data=False)).success
    ignored = node.send()
    node.wait_until_taken()  # else it could arrive after the request to go on
    known = len(client.received['/hand3r/status'])
    client.wait(lambda: len(client.received['/hand3r/status']) > known, 'the status of the next second')
    assert client.received['/hand3r/status'][-1].frames_processed == before.frames_processed
    assert client.call(SetBool, '/hand3r/enable', SetBool.Request(data=True)).success
    after = client.message_at('/hand3r/status', node.send())
    assert after.frames_processed == before.frames_processed + 1
    assert after.session_id == before.session_id and after.frame_index == before.frame_index + 1
    assert client.find('/hand3r/hands', ignored) is None


def test_an_image_that_waits_when_the_node_is_disabled_is_dropped(node: RunningNode) -> None:
    """It is counted as dropped, so what was received adds up without it."""
    client = node.client
    before = client.message_at('/hand3r/status', node.send())
    for _ in range(3):
        node.send()
    node.wait_until_taken()
    assert client.call(SetBool, '/hand3r/enable', SetBool.Request(data=False)).success
    known = len(client.received['/hand3r/status'])
    client.wait(lambda: len(client.received['/hand3r/status']) > known + 1, 'the status of the next seconds')
    after = client.received['/hand3r/status'][-1]
    assert client.call(SetBool, '/hand3r/enable', SetBool.Request(data=True)).success
    processed = after.frames_processed - before.frames_processed
    dropped = after.frames_dropped - before.frames_dropped
    assert after.frames_received - before.frames_received == 3 == processed + dropped


def test_parameters_change_the_output_on_the_fly(node: RunningNode) -> None:
    assert node.set_parameter('hands.vertices', False).successful
    assert node.set_parameter('points.stride', 4).successful
    got = everything(node, node.send(hands=TWO_HANDS), ['/hand3r/hands', '/hand3r/points'])
    assert len(got['/hand3r/hands'].hands) == 2
    assert all(len(mesh.vertices) == 0 and len(mesh.keypoints) == 63 for mesh in got['/hand3r/hands'].hands)
    sparse = got['/hand3r/points'].width
    assert node.set_parameter('hands.vertices', True).successful
    assert node.set_parameter('points.stride', 2).successful
    got = everything(node, node.send(hands=TWO_HANDS), ['/hand3r/hands', '/hand3r/points'])
    assert all(len(mesh.vertices) == 3 * 778 for mesh in got['/hand3r/hands'].hands)
    assert 3.0 < got['/hand3r/points'].width / sparse < 5.0
    assert node.set_parameter('detections.min_score', 0.95).successful  # the test's detections have 0.9
    assert node.client.message_at('/hand3r/status', node.send(hands=TWO_HANDS)).hands == 0
    assert node.set_parameter('detections.min_score', 0.5).successful


def test_old_images_are_skipped_when_an_age_is_set(node: RunningNode) -> None:
    client = node.client
    before = client.message_at('/hand3r/status', node.send())
    assert node.set_parameter('max_image_age', 5.0).successful  # the stamps of this test are decades old
    old = node.send()
    client.wait(
        lambda: client.received['/hand3r/status'][-1].frames_dropped == before.frames_dropped + 1, 'a dropped image'
    )
    assert client.find('/hand3r/hands', old) is None
    assert node.set_parameter('max_image_age', 0.0).successful
    client.message_at('/hand3r/status', node.send())


def test_diagnostics_tell_the_state_and_the_counts(node: RunningNode) -> None:
    client = node.client
    status = client.message_at('/hand3r/status', node.send())

    def newest() -> dict | None:
        parts = {s.name.split(': ')[-1]: s for array in client.received['/diagnostics'] for s in array.status}
        counted = {value.key: value.value for value in parts['input'].values} if 'input' in parts else {}
        return parts if counted.get('processed') == str(status.frames_processed) else None

    parts = client.wait(newest, 'diagnostics after the last image')
    assert set(parts) == {'node', 'input', 'reconstruction'}
    assert parts['node'].message == 'active' and parts['reconstruction'].message == 'tracking'
