"""Meshes drawn into the image: against analytic shapes and against the renderer's own segmentation."""

from __future__ import annotations

import numpy as np
from truth_network import hand_layer

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.online.hand_mask import box_mask, forearm_mask, hand_mask, mesh_depth
from hand3r_ros.online.placement import hand_faces

CAMERA = Intrinsics(100.0, 100.0, 49.5, 39.5, 100, 80)
TRIANGLE = np.array([[0, 1, 2]])


def test_a_slanted_triangle_has_the_depth_of_its_plane():
    vertices = np.array([[-0.3, -0.3, 1.0], [0.4, -0.3, 2.0], [-0.3, 0.4, 1.5]])
    depth = mesh_depth(vertices, TRIANGLE, CAMERA)
    normal = np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0])
    rows, columns = np.nonzero(np.isfinite(depth))
    assert len(rows) > 200
    rays = np.column_stack([(columns - CAMERA.cx) / CAMERA.fx, (rows - CAMERA.cy) / CAMERA.fy, np.ones(len(rows))])
    expected = (normal @ vertices[0]) / (rays @ normal)
    assert np.allclose(depth[rows, columns], expected, rtol=1e-5)


def test_a_pixel_is_covered_when_its_centre_is():
    square = np.array([[-0.1, -0.1, 1.0], [0.1, -0.1, 1.0], [0.1, 0.1, 1.0], [-0.1, 0.1, 1.0]])
    depth = mesh_depth(square, np.array([[0, 1, 2], [0, 2, 3]]), CAMERA)  # 39.5 .. 59.5 by 29.5 .. 49.5
    covered = np.argwhere(np.isfinite(depth))
    assert covered.min(0).tolist() == [30, 40]
    assert covered.max(0).tolist() == [49, 59]
    assert len(covered) == 400


def test_nearer_surfaces_hide_farther_ones_in_any_order():
    near = np.array([[-1, -1, 1.0], [1, -1, 1.0], [0, 1, 1.0]])
    both = np.concatenate([near, near * [1, 1, 2]])
    for faces in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 2, 1]]):
        depth = mesh_depth(both, np.array(faces), CAMERA)
        assert depth[40, 50] == 1.0


def test_triangles_at_or_behind_the_camera_are_not_drawn():
    crossing = np.array([[-0.3, -0.3, -1.0], [0.4, -0.3, 1.0], [-0.3, 0.4, 1.0]])
    assert not np.isfinite(mesh_depth(crossing, TRIANGLE, CAMERA)).any()
    assert not np.isfinite(mesh_depth(np.full((3, 3), np.nan), TRIANGLE, CAMERA)).any()
    far_outside = np.array([[1e6, 0, 1.0], [1e6, 1, 1.0], [1e6, 0, 2.0]])
    assert not np.isfinite(mesh_depth(far_outside, TRIANGLE, CAMERA)).any()


def test_the_mask_is_the_renderers_segmentation(two_hands):
    faces = hand_faces(hand_layer())
    checked = 0
    for frame in two_hands[::4]:
        for hand in frame.hands:
            if hand.visible_fraction < 0.9:
                continue
            mask = hand_mask([hand.vertices_camera], faces, frame.intrinsics, margin_pixels=0)
            visible = frame.segmentation == hand.instance_id
            # The renderer also counts the arm; what is left is hidden pixels and the wrist.
            assert np.count_nonzero(mask & visible) > 0.85 * np.count_nonzero(mask)
            depth = mesh_depth(hand.vertices_camera, faces, frame.intrinsics)
            both = mask & visible
            assert np.median(np.abs(depth[both] - frame.depth[both])) < 1e-4
            checked += 1
    assert checked >= 2


def test_the_margin_grows_the_mask_and_zero_hands_are_fine():
    vertices = np.array([[-0.1, -0.1, 1.0], [0.1, -0.1, 1.0], [0.0, 0.1, 1.0]])
    tight = hand_mask([vertices], TRIANGLE, CAMERA, 0)
    wide = hand_mask([vertices], TRIANGLE, CAMERA, 3)
    assert (wide & tight).sum() == tight.sum() > 0
    assert wide.sum() > tight.sum()
    assert not hand_mask([], TRIANGLE, CAMERA).any()


def test_box_masks_grow_by_their_margin_and_stay_inside_the_image():
    mask = box_mask(np.array([[40.0, 30, 60, 50]]), 0.1, 100, 80)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (28, 52, 38, 62)
    assert box_mask(np.array([[-50.0, -50, 500, 500]]), 0.5, 100, 80).all()
    assert not box_mask(np.zeros((0, 4)), 0.1, 100, 80).any()
    assert not box_mask(np.array([[200.0, 0, 300, 50]]), 0.1, 100, 80).any()


def keypoints(wrist, knuckles) -> np.ndarray:
    points = np.tile(np.array(wrist, float), (21, 1))
    points[[5, 9, 13, 17]] = knuckles
    return points


def test_forearms_lie_behind_the_wrist():
    mask = forearm_mask([keypoints([0, 0, 0.8], [0, -0.09, 0.8])], CAMERA)
    assert mask[45:76, 49].all()  # below the wrist: 0.3 m at 0.8 m are 37 pixels
    assert not mask[:30].any()  # where the fingers are
    assert not forearm_mask([], CAMERA).any()


def test_forearms_that_come_from_behind_the_camera_are_drawn_up_to_it():
    mask = forearm_mask([keypoints([0.0, 0.1, 0.2], [0.0, 0.1, 0.29])], CAMERA)
    assert mask.any()
    assert not forearm_mask([keypoints([0, 0, 0.01], [0, 0, 0.1])], CAMERA).any()
