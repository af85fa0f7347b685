"""Clips seen in a mirror keep being true."""

import pytest
import torch

from hand3r_lab.training.clip_mirror import mirrored
from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.datasets import ClipDataset
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_lab.training.rendering import render_dataset
from hand3r_lab.training.tensor_tree import as_plain
from hand3r_ros.network.pose import matrix_from_pose

BOTH = torch.tensor([True, True])


@pytest.fixture(scope='module')
def clip(tmp_path_factory) -> list[ClipFrame]:
    """Three time steps of two rendered clips, as they are."""
    directory = tmp_path_factory.mktemp('rendered')
    render_dataset(directory, RenderedDataLayout('train', 2, 3, 48, 64, 32, 1.3), 1)
    clips = ClipDataset(RenderedData.open(directory), 3)
    return clips.batch(2, torch.Generator().manual_seed(2), augment=False)


def pixels_of(points: torch.Tensor, intrinsics: torch.Tensor) -> torch.Tensor:
    """[..., 2] of points [..., 3] under one camera [4]."""
    return points[..., :2] / points[..., 2:] * intrinsics[:2] + intrinsics[2:]


def assert_same(found, expected) -> None:
    if isinstance(expected, dict):
        for name in expected:
            assert_same(found[name], expected[name])
    elif expected is not None:
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_twice_mirrored_is_not_mirrored(clip) -> None:
    for frame in clip:
        assert_same(as_plain(mirrored(mirrored(frame, BOTH), BOTH)), as_plain(frame))


def test_clips_that_are_not_marked_stay_as_they_are(clip) -> None:
    assert_same(as_plain(mirrored(clip[0], ~BOTH)), as_plain(clip[0]))
    one = mirrored(clip[0], torch.tensor([False, True]))
    assert torch.equal(one.image[0], clip[0].image[0]) and not torch.equal(one.image[1], clip[0].image[1])


def test_mirrored_points_are_seen_where_the_mirrored_image_shows_them(clip) -> None:
    frame = mirrored(clip[1], BOTH)
    assert frame.intrinsics is not None
    v, u = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing='ij')
    for index in range(2):
        valid = frame.valid[index]
        found = pixels_of(frame.points[index][valid], frame.intrinsics[index])
        torch.testing.assert_close(found, torch.stack([u, v], -1)[valid], atol=1e-2, rtol=0.0)


def test_mirrored_hands_change_sides_and_stay_in_their_boxes(clip) -> None:
    frame = mirrored(clip[1], BOTH)
    assert len(frame.hands.boxes) and frame.intrinsics is not None
    assert torch.equal(frame.hands.is_right, ~clip[1].hands.is_right)
    for box, keypoints, batch in zip(frame.hands.boxes, frame.hand_keypoints, frame.hands.batch_index, strict=True):
        middle = pixels_of(keypoints, frame.intrinsics[batch]).mean(0)
        inside = (middle > box[:2] - 4.0) & (middle < box[2:] + 4.0)
        assert bool(inside.all()), (box, middle)
    torch.testing.assert_close(frame.hand_wrist, frame.hand_keypoints[:, 0])


def test_mirrored_poses_still_join_the_points_of_two_frames(clip) -> None:
    """A point of the first frame's mirror image lies where the second frame's mirrored pose says."""
    pose = matrix_from_pose(clip[2].camera_pose)
    point = torch.tensor([0.2, -0.1, 0.9, 1.0])
    seen = pose @ point  # in the first camera
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    found = matrix_from_pose(mirrored(clip[2], BOTH).camera_pose) @ (mirror @ point)
    torch.testing.assert_close(found, (mirror @ seen[..., None])[..., 0], atol=1e-5, rtol=0.0)


def test_the_table_is_mirrored_with_the_camera(clip) -> None:
    table, turned = clip[2].T_table_camera, mirrored(clip[2], BOTH).T_table_camera
    assert table is not None and turned is not None
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    point = torch.tensor([0.2, -0.1, 0.9])
    on_table = table[..., :3] @ point + table[..., 3]
    torch.testing.assert_close(turned[..., :3] @ (mirror * point) + turned[..., 3], on_table * mirror)
    torch.testing.assert_close(torch.linalg.det(turned[..., :3]), torch.ones(2))


def test_hands_to_be_found_change_their_slots(clip) -> None:
    before, after = clip[1].detection, mirrored(clip[1], BOTH).detection
    assert before is not None and after is not None
    assert torch.equal(after.present, before.present.flip(1)) and torch.equal(after.ignored, before.ignored.flip(1))
    torch.testing.assert_close(after.boxes[:, 0, 0], 63.0 - before.boxes[:, 1, 2])
    assert torch.equal(after.image, mirrored(clip[1], BOTH).image)
