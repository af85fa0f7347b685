"""Sequences: the same seed gives the same bytes, and the ground truth agrees with the pictures."""

import numpy as np
import pytest
import torch

from hand3r_lab.scenes import instances
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_ros.geometry import invert_transform, project_points, transform_points, unproject_depth
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide

CONFIG = SceneConfig(width=192, height=144, frames=8, hands='both')


@pytest.fixture(scope='module')
def drawn():
    """Frames 0, 3 and 7 of egocentric and third-person sequences."""
    cameras = ('egocentric', 'third_person')
    sequences = [
        Sequence(seed, SceneConfig(width=192, height=144, frames=8, hands='both', camera=camera))
        for camera in cameras
        for seed in (4, 5, 9)
    ]
    return [(sequence, [sequence.frame(i) for i in (0, 3, 7)]) for sequence in sequences]


def all_frames(drawn):
    return [frame for _, frames in drawn for frame in frames]


def pixels(points, frame):
    """Rounded pixels (N, 2) and which of them lie inside the image."""
    uv = np.nan_to_num(project_points(points, frame.intrinsics), nan=-1e6).round().astype(int)
    inside = (uv >= 0).all(1) & (uv[:, 0] < frame.intrinsics.width) & (uv[:, 1] < frame.intrinsics.height)
    return uv, inside


def test_shapes_and_types(drawn):
    for frame in all_frames(drawn):
        shape = (CONFIG.height, CONFIG.width)
        assert frame.image.shape == (*shape, 3) and frame.image.dtype == np.uint8
        assert frame.depth.shape == shape and frame.depth.dtype == np.float32
        assert frame.segmentation.shape == shape and frame.segmentation.dtype == np.uint8
        assert (frame.depth > 0.0).all() and (frame.segmentation != instances.NOTHING).all()  # closed room


def test_the_same_seed_gives_the_same_bytes_in_any_order():
    first, second = Sequence(12, CONFIG), Sequence(12, CONFIG)
    second.frame(5)
    a, b = first.frame(2), second.frame(2)
    assert a.image.tobytes() == b.image.tobytes()
    assert a.depth.tobytes() == b.depth.tobytes()
    assert a.segmentation.tobytes() == b.segmentation.tobytes()
    np.testing.assert_array_equal(a.T_world_camera, b.T_world_camera)
    for hand_a, hand_b in zip(a.hands, b.hands, strict=True):
        np.testing.assert_array_equal(hand_a.vertices_camera, hand_b.vertices_camera)


def test_different_seeds_and_frames_differ():
    sequence, other = Sequence(12, CONFIG), Sequence(13, CONFIG)
    assert sequence.frame(2).image.tobytes() != other.frame(2).image.tobytes()
    assert sequence.frame(2).image.tobytes() != sequence.frame(3).image.tobytes()
    assert not np.allclose(sequence.T_world_camera, other.T_world_camera)


def test_drawing_a_frame_leaves_the_others_unchanged():
    sequence = Sequence(12, CONFIG)
    before = sequence.frame(1)
    sequence.frame(6)
    after = sequence.frame(1)
    np.testing.assert_array_equal(before.image, after.image)
    np.testing.assert_array_equal(before.hands[0].rotations, after.hands[0].rotations)


def test_hand_parameters_through_the_hand_layer_give_the_vertices(drawn):
    layer = HandLayer(load_open_hand())
    checked = set()
    for frame in all_frames(drawn):
        for hand in frame.hands:
            right = hand.side == HandSide.RIGHT
            looking = hand.rotations if right else mirror_rotations(hand.rotations)
            mesh = layer(
                torch.tensor(looking)[None].float(), torch.tensor(hand.betas)[None].float(), torch.tensor([right])
            )
            np.testing.assert_allclose(mesh.vertices[0] + hand.wrist_camera, hand.vertices_camera, atol=1e-6)
            np.testing.assert_allclose(mesh.keypoints[0] + hand.wrist_camera, hand.keypoints_camera, atol=1e-6)
            np.testing.assert_allclose(hand.keypoints_camera[0], hand.wrist_camera, atol=1e-6)
            np.testing.assert_allclose(
                hand.rotations @ hand.rotations.transpose(0, 2, 1), np.tile(np.eye(3), (16, 1, 1)), atol=1e-6
            )
            checked.add(hand.side)
    assert checked == set(HandSide)


def neighbourhood(image, uv):
    """Values (N, 9) of the 3 x 3 pixels around uv (N, 2)."""
    padded = np.pad(image, 1, mode='edge')
    return np.stack([padded[uv[:, 1] + dv, uv[:, 0] + du] for dv in range(3) for du in range(3)], -1)


def test_depth_at_visible_hand_vertices_is_their_depth(drawn):
    """A vertex on the hand is never in front of the surface, and those on the visible side lie on it."""
    lying = 0
    for frame in all_frames(drawn):
        for hand in frame.hands:
            uv, inside = pixels(hand.vertices_camera, frame)
            # not on the border, where an outline's own pixel may lie outside the image
            inside &= (uv >= 1).all(1) & (uv < [frame.intrinsics.width - 1, frame.intrinsics.height - 1]).all(1)
            on_hand = inside.copy()
            on_hand[inside] = frame.segmentation[uv[inside, 1], uv[inside, 0]] == hand.instance_id
            if not on_hand.any():
                continue
            z = hand.vertices_camera[on_hand, 2]
            around = neighbourhood(frame.depth, uv[on_hand])
            assert np.mean(around.min(-1) > z + 0.003) < 0.01
            lying += np.count_nonzero(np.abs(frame.depth[uv[on_hand, 1], uv[on_hand, 0]] - z) < 0.003)
    assert lying > 2000


def test_visible_keypoints_lie_on_the_segmentation(drawn):
    """Joints lie inside the hand, so their pixels show it unless something is nearer; fingertips lie on its outline."""
    for fingertips in (False, True):
        chosen = np.array([(k % 4 == 0 and k > 0) == fingertips and k > 0 for k in range(21)])  # no wrist: sleeves
        shown = unoccluded = 0
        for frame in all_frames(drawn):
            for hand in frame.hands:
                uv, inside = pixels(hand.keypoints_camera, frame)
                inside &= chosen
                ids = neighbourhood(frame.segmentation, uv[inside])
                on_hand = (ids == hand.instance_id).any(-1) if fingertips else ids[:, 4] == hand.instance_id
                surface = frame.depth[uv[inside, 1], uv[inside, 0]]
                visible = on_hand | (surface > hand.keypoints_camera[inside, 2] + 0.003)
                shown += np.count_nonzero(on_hand)
                unoccluded += np.count_nonzero(visible)
        assert unoccluded > 60
        assert shown / unoccluded > 0.99


def test_static_points_seen_in_one_frame_are_where_another_frame_sees_them(drawn):
    for _, frames in drawn:
        first, second = frames[0], frames[1]
        points = unproject_depth(first.depth, first.intrinsics).reshape(-1, 3)
        points = points[instances.is_static(first.segmentation).reshape(-1)]
        points = transform_points(invert_transform(second.T_world_camera) @ first.T_world_camera, points)
        uv, inside = pixels(points, second)
        uv, z = uv[inside], points[inside, 2]
        static = instances.is_static(second.segmentation)[uv[:, 1], uv[:, 0]]
        error = second.depth[uv[:, 1], uv[:, 0]][static] / z[static] - 1.0
        assert static.sum() > 1000
        # nearly all agree (the rest is hidden in the second frame), and none floats before what the second one sees
        assert np.mean(np.abs(error) < 0.015) > 0.85
        assert np.mean(error > 0.05) < 0.03


def test_boxes_are_the_bounds_of_the_projected_mesh_inside_the_image(drawn):
    for frame in all_frames(drawn):
        limit = np.array([frame.intrinsics.width - 1, frame.intrinsics.height - 1])
        for hand in frame.hands:
            uv = project_points(hand.vertices_camera, frame.intrinsics)
            bounds = np.concatenate([uv.min(0).clip(0, limit), uv.max(0).clip(0, limit)])
            np.testing.assert_allclose(hand.box, bounds, atol=1e-6)
            v, u = np.nonzero(frame.segmentation == hand.instance_id)
            if len(u) == 0:
                continue
            assert u.min() >= hand.box[0] - 1 and u.max() <= hand.box[2] + 1
            assert v.min() >= hand.box[1] - 1 and v.max() <= hand.box[3] + 1
            if hand.visible_fraction > 0.97:  # then the picture reaches every side of the box
                drawn_box = np.array([u.min(), v.min(), u.max(), v.max()])
                assert np.abs(drawn_box - hand.box).max() < 6.0


def test_visible_fraction_counts_occlusion_and_the_image_border(drawn):
    fractions = []
    for frame in all_frames(drawn):
        for hand in frame.hands:
            assert 0.0 <= hand.visible_fraction <= 1.0
            fractions.append(hand.visible_fraction)
            if not (frame.segmentation == hand.instance_id).any():
                assert hand.visible_fraction == 0.0
            uv = project_points(hand.vertices_camera, frame.intrinsics)
            outside = ((uv < -0.5) | (uv > np.array([191.5, 143.5]))).any(1)
            if outside.mean() > 0.5:
                assert hand.visible_fraction < 0.8
    assert max(fractions) > 0.9


def test_world_z_points_up(drawn):
    """The table is a horizontal plane between 0.6 and 0.9 m, and image down is world down."""
    for sequence, frames in drawn:
        for frame in frames:
            assert frame.T_world_camera[2, 1] < -0.3  # the camera's y axis points down
            table = frame.segmentation == instances.TABLE
            if np.count_nonzero(table) < 500:
                continue
            points = transform_points(frame.T_world_camera, unproject_depth(frame.depth, frame.intrinsics)[table])
            height = np.median(points[:, 2])
            assert 0.65 < height < 0.85
            assert np.mean(np.abs(points[:, 2] - height) < 0.004) > 0.6
        assert (sequence.T_world_camera[:, 2, 3] > 0.7).all()


def test_table_height_is_where_the_table_is_seen(drawn):
    compared = 0
    for sequence, frames in drawn:
        for frame in frames:
            table = frame.segmentation == instances.TABLE
            if np.count_nonzero(table) < 500:
                continue
            points = transform_points(frame.T_world_camera, unproject_depth(frame.depth, frame.intrinsics)[table])
            assert abs(np.median(points[:, 2]) - sequence.table_height) < 0.004  # a mat lies 2 mm above the top
            compared += 1
    assert compared > 3


def test_cameras_move_enough_to_be_learned():
    distances = []
    for seed in range(6):
        position = Sequence(seed, SceneConfig(width=32, height=24, frames=24, hands='none')).T_world_camera[:, :3, 3]
        distances.append(np.linalg.norm(position - position.mean(0), axis=1).max())
    assert np.median(distances) > 0.06


def test_hands_stay_above_the_table_and_apart(drawn):
    for sequence, frames in drawn:
        table = frames[0].segmentation == instances.TABLE
        height = np.median(
            transform_points(frames[0].T_world_camera, unproject_depth(frames[0].depth, frames[0].intrinsics)[table])[
                :, 2
            ]
        )
        for hand in sequence.hands:
            over = hand.vertices[hand.vertices[..., 1].max(1) > 0.0]
            assert over[..., 2].min(initial=10.0) > height - 0.002
        left, right = (hand.vertices for hand in sequence.hands)
        left = left * [-1.0, 1.0, 1.0]  # left hands are planned mirrored
        gaps = [np.linalg.norm(a[::3, None] - b[None, ::3], axis=-1).min() for a, b in zip(left, right, strict=True)]
        assert min(gaps) > 0.004


@pytest.mark.parametrize('hands, sides', [('none', set()), ('left', {HandSide.LEFT}), ('right', {HandSide.RIGHT})])
def test_the_chosen_hands_appear(hands, sides):
    sequence = Sequence(21, SceneConfig(width=96, height=72, frames=6, hands=hands))
    seen = {hand.side for i in range(6) for hand in sequence.frame(i).hands}
    assert seen <= sides and {hand.motion.side for hand in sequence.hands} == sides


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match='camera must be'):
        SceneConfig(camera='drone')
    with pytest.raises(ValueError, match='hands must be'):
        SceneConfig(hands='three')
    with pytest.raises(ValueError, match='width must be'):
        SceneConfig(width=0)
    with pytest.raises(ValueError, match='fps'):
        SceneConfig(fps=0.0)
    with pytest.raises(ValueError, match='seed must be'):
        Sequence(-1)
    with pytest.raises(IndexError):
        Sequence(0, CONFIG).frame(len(Sequence(0, CONFIG)))
