"""Messages say what the results say: units, frames, field types, and round trips through the wire format."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest
import torch
from geometry_msgs.msg import Pose
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2, PointField
from visualization_msgs.msg import Marker

from hand3r_msgs.msg import Hand3RStatus, HandMesh, HandMeshArray, HandTopology
from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform, transform_points
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.joints import KEYPOINT_NAMES, KEYPOINT_PARENTS
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_axis_angle, mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node import frames, messages, messages_hands, messages_markers, messages_scene
from hand3r_ros.node.accounting import Counters
from hand3r_ros.node.parameters import NodeParameters, PointParameters
from hand3r_ros.online.results import (
    ArticulationSource,
    FrameResult,
    HandPlacement,
    HandResult,
    PlacementSource,
    TrackingState,
)

STAMP = messages.time_from_nanoseconds(12_345_678_901)
CAMERA = messages.header(STAMP, 'camera_optical')
WORLD = messages.header(STAMP, 'world')
ALL_POINTS = replace(PointParameters(), stride=1, min_confidence=0.0)


def transform(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return make_transform(Rotation.random(random_state=seed).as_matrix(), rng.uniform(-2.0, 2.0, 3))


def posed_hand(side: HandSide = HandSide.RIGHT, seed: int = 0) -> HandResult:
    """A hand as the reconstruction gives it, posed by the hand layer."""
    rng = np.random.default_rng(seed)
    axis_angle = rng.normal(0.0, 0.4, (16, 3))  # of the hand's own side
    betas = rng.normal(0.0, 1.0, 10)
    right = axis_angle if side is HandSide.RIGHT else mirror_axis_angle(axis_angle)
    rotations = torch.tensor(Rotation.from_rotvec(right).as_matrix(), dtype=torch.float32)[None]
    is_right = torch.tensor([side is HandSide.RIGHT])
    mesh = HandLayer(load_open_hand())(rotations, torch.tensor(betas, dtype=torch.float32)[None], is_right)
    wrist = np.array([0.1, -0.05, 0.6])
    vertices, keypoints = mesh.vertices[0].numpy() + wrist, mesh.keypoints[0].numpy() + wrist
    T_world_camera = transform(seed + 1)
    T_camera_wrist = make_transform(Rotation.from_rotvec(axis_angle[0]).as_matrix(), wrist)
    return HandResult(
        side=side,
        track_id=3,
        score=0.75,
        box=np.array([10.0, 20.0, 110.0, 140.0]),
        vertices_camera=vertices,
        keypoints_camera=keypoints,
        vertices_world=transform_points(T_world_camera, vertices),
        keypoints_world=transform_points(T_world_camera, keypoints),
        keypoints_image=rng.uniform(0.0, 300.0, (21, 2)),
        T_camera_wrist=T_camera_wrist,
        T_world_wrist=T_world_camera @ T_camera_wrist,
        global_orient=axis_angle[0],
        hand_pose=axis_angle[1:].reshape(45),
        betas=betas,
        translation=wrist - mesh.rest_root[0].numpy(),
    )


def frame_result(height: int = 6, width: int = 8, **changes: object) -> FrameResult:
    v, u = np.indices((height, width))
    points = np.stack([u * 0.1 - 0.4, v * 0.1 - 0.3, 1.0 + 0.1 * u + 0.01 * v], -1).astype(np.float32)
    colors = np.stack([u * 20, v * 30, u + v], -1).astype(np.uint8)
    fields = {
        'stamp_ns': 12_345_678_901,
        'frame_index': 4,
        'session_id': 2,
        'state': TrackingState.OK,
        'T_world_camera': transform(5),
        'hands': (posed_hand(),),
        'points_camera': points,
        'confidence': np.full((height, width), 3.0, np.float32),
        'colors': colors,
        'hand_mask': np.zeros((height, width), bool),
        'intrinsics': Intrinsics(100.0, 101.0, 3.5, 2.5, width, height),
    }
    return FrameResult(**{**fields, **changes})  # type: ignore[arg-type]


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_times_keep_every_nanosecond(nanoseconds: int) -> None:
    time = messages.time_from_nanoseconds(nanoseconds)
    assert time.sec * 10**9 + time.nanosec == nanoseconds and 0 <= time.nanosec < 10**9


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_poses_and_transforms_come_back_as_the_matrix_they_were_made_of(seed: int) -> None:
    T = transform(seed)
    np.testing.assert_allclose(messages.matrix_from_pose(messages.pose(T)), T, atol=1e-12)
    stamped = over_the_wire(messages.transform_stamped(WORLD, 'camera', T))
    np.testing.assert_allclose(messages.matrix_from_transform(stamped.transform), T, atol=1e-12)
    assert (stamped.header.frame_id, stamped.child_frame_id, stamped.header.stamp) == ('world', 'camera', STAMP)


def test_scalars_are_python_numbers_and_sequences_are_arrays() -> None:
    """numpy scalars are misread by rclpy without type checks; bytes and lists are slow."""
    pose: Pose = messages.pose(np.eye(4, dtype=np.float32))
    assert type(pose.position.x) is float and type(pose.orientation.w) is float
    mesh = messages_hands.hand_mesh(CAMERA, posed_hand(), 'open_hand', in_world=False)
    assert type(mesh.score) is float and type(mesh.side) is int and type(mesh.track_id) is int
    assert isinstance(mesh.vertices, array) and isinstance(mesh.keypoints_2d, array)
    assert isinstance(messages_scene.frame_cloud(CAMERA, frame_result(), ALL_POINTS).data, array)


@pytest.mark.parametrize('typecode', ['B', 'f', 'd', 'i', 'I'])
def test_packed_arrays_hold_the_values_row_by_row(typecode: str) -> None:
    values = np.arange(6).reshape(2, 3).T  # not contiguous
    assert messages.packed(typecode, values).tolist() == [0, 3, 1, 4, 2, 5]
    assert messages.packed(typecode, []).tolist() == []


@pytest.mark.parametrize('in_world', [False, True])
@pytest.mark.parametrize('side', list(HandSide))
def test_hand_parameters_pose_the_vertices_of_the_same_message(side: HandSide, in_world: bool) -> None:
    """global_orient, hand_pose, betas and transl of the message, put into the hand model, give its mesh."""
    hand = posed_hand(side)
    message = over_the_wire(messages_hands.hand_mesh(CAMERA, hand, 'open_hand', in_world))
    own_side = torch.tensor(
        Rotation.from_rotvec(np.vstack([message.global_orient, np.reshape(message.hand_pose, (15, 3))])).as_matrix(),
        dtype=torch.float32,
    )[None]
    right_looking = own_side if side is HandSide.RIGHT else mirror_rotations(own_side)
    mesh = HandLayer(load_open_hand())(
        right_looking, torch.tensor(message.betas)[None], torch.tensor([side is HandSide.RIGHT])
    )
    translation = mesh.rest_root[0].numpy() + np.asarray(message.transl)
    vertices = messages_hands.points_of(message.vertices)
    np.testing.assert_allclose(mesh.vertices[0].numpy() + translation, vertices, atol=2e-6)
    keypoints = messages_hands.points_of(message.keypoints)
    np.testing.assert_allclose(mesh.keypoints[0].numpy() + translation, keypoints, atol=2e-6)
    wrist = message.wrist.position
    np.testing.assert_allclose([wrist.x, wrist.y, wrist.z], keypoints[0], atol=1e-6)
    expected = hand.vertices_world if in_world else hand.vertices_camera
    np.testing.assert_allclose(vertices, expected, atol=1e-6)


def test_hand_messages_survive_the_wire() -> None:
    hand = posed_hand(HandSide.LEFT)
    mesh = over_the_wire(messages_hands.hand_mesh_array(CAMERA, [hand], 'open_hand', in_world=False)).hands[0]
    assert (mesh.side, mesh.track_id, mesh.hand_model) == (HandMesh.LEFT, 3, 'open_hand')
    assert mesh.score == pytest.approx(0.75)
    np.testing.assert_allclose(mesh.bbox, [10.0, 20.0, 110.0, 140.0])
    np.testing.assert_allclose(messages_hands.points_of(mesh.keypoints_2d, 2), hand.keypoints_image, rtol=1e-6)
    assert (len(mesh.vertices), len(mesh.keypoints), len(mesh.keypoints_2d)) == (778 * 3, 21 * 3, 21 * 2)


def test_a_hand_says_what_it_rests_on() -> None:
    plain = over_the_wire(messages_hands.hand_mesh(CAMERA, posed_hand(), 'open_hand', in_world=False))
    assert plain.articulation_source == HandMesh.ARTICULATION_NETWORK
    assert (plain.depth_source, plain.depth_deviation) == (HandMesh.DEPTH_UNKNOWN, -1.0)
    assert set(plain.keypoint_confidence) == {-1.0}
    fitted = replace(
        posed_hand(),
        articulation=ArticulationSource.LANDMARKS,
        placement=HandPlacement(PlacementSource.LANDMARKS, 0.025),
        keypoint_confidence=np.linspace(0.0, 1.0, 21),
    )
    mesh = over_the_wire(messages_hands.hand_mesh(CAMERA, fitted, 'open_hand', in_world=True))
    assert mesh.articulation_source == HandMesh.ARTICULATION_LANDMARKS
    assert mesh.depth_source == HandMesh.DEPTH_LANDMARKS
    assert mesh.depth_deviation == pytest.approx(0.025)
    np.testing.assert_allclose(mesh.keypoint_confidence, fitted.keypoint_confidence, atol=1e-6)
    predicted = replace(fitted, articulation=ArticulationSource.PREDICTED, keypoint_confidence=np.zeros(21))
    mesh = over_the_wire(messages_hands.hand_mesh(CAMERA, predicted, 'open_hand', in_world=True))
    assert mesh.articulation_source == HandMesh.ARTICULATION_PREDICTED
    assert set(mesh.keypoint_confidence) == {0.0}


@pytest.mark.parametrize('source', list(PlacementSource))
def test_every_source_of_depth_has_a_value_of_its_own(source: PlacementSource) -> None:
    values = messages_hands.DEPTH_SOURCES
    assert [other for other, value in values.items() if value == values[source]] == [source]


def test_vertices_can_be_left_out_and_no_hands_give_an_empty_array() -> None:
    mesh = messages_hands.hand_mesh(CAMERA, posed_hand(), 'open_hand', in_world=False, vertices=False)
    assert len(mesh.vertices) == 0 and len(mesh.keypoints) == 63
    empty = over_the_wire(messages_hands.hand_mesh_array(CAMERA, [], 'open_hand', in_world=True))
    assert isinstance(empty, HandMeshArray) and len(empty.hands) == 0 and empty.header == CAMERA


def test_the_topology_names_faces_and_keypoints() -> None:
    hand_model = load_open_hand()
    faces = {side: hand_model.faces(side) for side in HandSide}
    message: HandTopology = over_the_wire(
        messages_hands.hand_topology(
            CAMERA, 'open_hand', 778, faces[HandSide.RIGHT], faces[HandSide.LEFT], KEYPOINT_NAMES, KEYPOINT_PARENTS
        )
    )
    np.testing.assert_array_equal(np.reshape(message.faces_right, (-1, 3)), faces[HandSide.RIGHT])
    np.testing.assert_array_equal(np.reshape(message.faces_left, (-1, 3)), faces[HandSide.LEFT])
    assert list(message.keypoint_names)[:2] == ['wrist', 'thumb_1'] and list(message.keypoint_parents)[:2] == [-1, 0]


def test_clouds_have_the_layout_that_rviz_and_pcl_read() -> None:
    cloud: PointCloud2 = over_the_wire(messages_scene.frame_cloud(CAMERA, frame_result(), ALL_POINTS))
    assert [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields] == [
        (name, 4 * index, PointField.FLOAT32, 1) for index, name in enumerate(('x', 'y', 'z', 'rgb'))
    ]
    assert (cloud.point_step, cloud.row_step, cloud.height, cloud.width) == (16, 16 * 48, 1, 48)
    assert cloud.is_dense and not cloud.is_bigendian and len(cloud.data) == cloud.row_step
    red, green, blue = 20, 30, 2  # of pixel (1, 1)
    packed_color = np.frombuffer(cloud.data, np.uint32)[4 * 9 + 3]
    assert packed_color == red << 16 | green << 8 | blue


def test_points_and_colors_come_back_from_the_cloud() -> None:
    result = frame_result()
    points, colors = messages_scene.cloud_arrays(messages_scene.frame_cloud(CAMERA, result, ALL_POINTS))
    np.testing.assert_array_equal(points, result.points_camera.reshape(-1, 3))
    np.testing.assert_array_equal(colors, result.colors.reshape(-1, 3))


def test_organised_clouds_keep_rows_and_columns_and_mark_missing_points() -> None:
    confidence = np.full((6, 8), 3.0, np.float32)
    confidence[1, 2] = 1.0
    parameters = replace(ALL_POINTS, organized=True, min_confidence=2.0)
    cloud = messages_scene.frame_cloud(CAMERA, frame_result(confidence=confidence), parameters)
    assert (cloud.height, cloud.width, cloud.is_dense) == (6, 8, False)
    points, colors = messages_scene.cloud_arrays(cloud)
    assert np.isnan(points[1, 2]).all() and np.isnan(points).sum() == 3
    np.testing.assert_array_equal(points[2, 1], frame_result().points_camera[2, 1])
    np.testing.assert_array_equal(colors, frame_result().colors)


def test_unusable_points_are_left_out() -> None:
    points = frame_result().points_camera.copy()
    points[0, 0] = np.nan
    points[0, 1] = np.inf
    points[0, 2, 2] = -1.0  # behind the camera
    points[0, 3] = [0.0, 0.0, 50.0]  # too far
    hand_mask = np.zeros((6, 8), bool)
    hand_mask[5, 5] = True
    result = frame_result(points_camera=points, hand_mask=hand_mask)
    cloud = messages_scene.frame_cloud(CAMERA, result, replace(ALL_POINTS, max_range=10.0))
    assert cloud.width == 48 - 4
    without_hands = replace(ALL_POINTS, max_range=10.0, exclude_hands=True)
    assert messages_scene.frame_cloud(CAMERA, result, without_hands).width == 48 - 5
    every_second = replace(ALL_POINTS, stride=2)
    assert messages_scene.frame_cloud(CAMERA, frame_result(), every_second).width == 3 * 4


def test_an_empty_cloud_is_a_cloud() -> None:
    cloud = over_the_wire(messages_scene.point_cloud(WORLD, np.zeros((0, 3)), np.zeros((0, 3))))
    assert (cloud.height, cloud.width, len(cloud.data), len(cloud.fields)) == (1, 0, 0, 4)


def test_points_and_colors_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r'\(4, 3\) and \(5, 3\)'):
        messages_scene.point_cloud(WORLD, np.zeros((4, 3)), np.zeros((5, 3)))


def test_depth_images_are_metres_with_nan_for_missing() -> None:
    confidence = np.full((6, 8), 3.0, np.float32)
    confidence[0, 0] = 1.0
    result = frame_result(confidence=confidence)
    image = over_the_wire(messages_scene.depth_image(CAMERA, result, replace(ALL_POINTS, min_confidence=2.0)))
    assert (image.encoding, image.height, image.width, image.step) == ('32FC1', 6, 8, 32)
    depth = np.frombuffer(image.data, np.float32).reshape(6, 8)
    assert np.isnan(depth[0, 0])
    np.testing.assert_array_equal(depth[1:], result.points_camera[1:, :, 2])


def test_camera_info_is_a_pinhole_camera() -> None:
    info = over_the_wire(messages_scene.camera_info(CAMERA, Intrinsics(100.0, 101.0, 3.5, 2.5, 8, 6)))
    np.testing.assert_array_equal(np.reshape(info.k, (3, 3)), [[100.0, 0.0, 3.5], [0.0, 101.0, 2.5], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(np.reshape(info.p, (3, 4))[:, :3], np.reshape(info.k, (3, 3)))
    assert (info.width, info.height, info.distortion_model, list(info.d)) == (8, 6, 'plumb_bob', [0.0] * 5)


def test_markers_show_the_mesh_in_metres_with_the_faces_of_its_side() -> None:
    hand = posed_hand(HandSide.LEFT)
    faces = load_open_hand().faces(HandSide.LEFT)
    mesh, skeleton = messages_markers.hand_markers(WORLD, hand, faces, hand.vertices_world, hand.keypoints_world)
    assert (mesh.type, mesh.ns, mesh.id, len(mesh.points)) == (Marker.TRIANGLE_LIST, 'left_mesh', 3, 3 * len(faces))
    corner = mesh.points[4]
    np.testing.assert_allclose([corner.x, corner.y, corner.z], hand.vertices_world[faces.reshape(-1)[4]])
    assert (mesh.scale.x, mesh.scale.y, mesh.scale.z) == (1.0, 1.0, 1.0) and mesh.pose.orientation.w == 1.0
    assert skeleton.type == Marker.LINE_LIST and len(skeleton.points) == 2 * 20


def test_the_camera_marker_shows_the_true_angle_of_view() -> None:
    T_world_camera = transform(8)
    camera = Intrinsics(100.0, 100.0, 99.5, 49.5, 200, 100)
    marker = messages_markers.camera_marker(WORLD, T_world_camera, camera)
    corners = np.array([[p.x, p.y, p.z] for p in marker.points])
    corner = transform_points(invert_transform(T_world_camera), corners[1:2])[0]
    np.testing.assert_allclose(corner[:2] / corner[2], [-1.0, -0.5], atol=1e-9)  # top left: half the width, height


def test_the_status_carries_every_count() -> None:
    report = messages.FrameReport(CAMERA, int(TrackingState.LOST), 2, 4, 1, 0.1, 0.2, 0.3, 0.4, 0.5)
    counters = Counters(received=10, processed=5, dropped=2, too_old=1, rejected=2, last_error='/image: bad')
    status: Hand3RStatus = over_the_wire(messages.status(report, counters))
    assert (status.state, status.session_id, status.frame_index, status.hands) == (Hand3RStatus.LOST, 2, 4, 1)
    assert (status.frames_received, status.frames_processed, status.frames_dropped) == (10, 5, 3)
    assert (status.frames_rejected, status.last_error) == (2, '/image: bad')
    seconds = [status.decode_seconds, status.detect_seconds, status.inference_seconds, status.publish_seconds]
    np.testing.assert_allclose([*seconds, status.image_age_seconds], [0.1, 0.2, 0.3, 0.4, 0.5], rtol=1e-6)


def test_states_have_the_same_numbers_as_in_the_message() -> None:
    for state in TrackingState:
        assert getattr(Hand3RStatus, state.name) == int(state)


def no_base(camera: str, base: str) -> np.ndarray:
    raise LookupError(f'{camera} {base}')


def test_tf_goes_from_the_world_to_the_camera_of_the_image() -> None:
    T = transform(1)
    sent = frames.camera_transform(CAMERA, T, NodeParameters(), no_base)
    assert sent is not None
    assert (sent.header.frame_id, sent.child_frame_id, sent.header.stamp) == ('hand3r_world', 'camera_optical', STAMP)
    np.testing.assert_allclose(messages.matrix_from_transform(sent.transform), T, atol=1e-12)


def test_inverted_tf_says_the_same_the_other_way_round() -> None:
    T = transform(1)
    sent = frames.camera_transform(CAMERA, T, NodeParameters(invert_tf=True), no_base)
    assert sent is not None and (sent.header.frame_id, sent.child_frame_id) == ('camera_optical', 'hand3r_world')
    np.testing.assert_allclose(messages.matrix_from_transform(sent.transform) @ T, np.eye(4), atol=1e-12)


@pytest.mark.parametrize('invert', [False, True])
def test_with_a_base_frame_the_robot_is_placed_instead_of_the_camera(invert: bool) -> None:
    T, T_camera_base = transform(1), transform(2)
    parameters = NodeParameters(base_frame='base_link', invert_tf=invert)
    sent = frames.camera_transform(CAMERA, T, parameters, lambda camera, base: T_camera_base)
    assert sent is not None
    names = ('base_link', 'hand3r_world') if invert else ('hand3r_world', 'base_link')
    assert (sent.header.frame_id, sent.child_frame_id) == names
    matrix = messages.matrix_from_transform(sent.transform)
    np.testing.assert_allclose(np.linalg.inv(matrix) if invert else matrix, T @ T_camera_base, atol=1e-12)


def test_no_tf_where_it_is_switched_off_or_comes_from_tf() -> None:
    for parameters in (NodeParameters(publish_tf=False), NodeParameters(pose_source='tf')):
        assert frames.camera_transform(CAMERA, transform(1), parameters, no_base) is None


def test_an_unknown_base_frame_is_an_error_to_report() -> None:
    with pytest.raises(LookupError, match='base_link'):
        frames.camera_transform(CAMERA, transform(1), NodeParameters(base_frame='base_link'), no_base)


def test_the_best_hand_of_each_side_gives_the_wrist_frames() -> None:
    weak, strong = replace(posed_hand(seed=1), score=0.2), replace(posed_hand(seed=2), score=0.9)
    left = posed_hand(HandSide.LEFT, seed=3)
    sent = {t.child_frame_id: t for t in frames.hand_transforms(WORLD, (strong, weak, left))}
    assert set(sent) == {'hand3r_right_wrist', 'hand3r_left_wrist'}
    matrix = messages.matrix_from_transform(sent['hand3r_right_wrist'].transform)
    np.testing.assert_allclose(matrix, strong.T_world_wrist, atol=1e-12)
