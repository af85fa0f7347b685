"""Camera poses as seven numbers and as matrices."""

from __future__ import annotations

import cut3r_golden
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_ros.network.pose import matrix_from_pose, pose_from_matrix

numbers = st.floats(-2.0, 2.0, allow_subnormal=False)


@settings(max_examples=100, deadline=None)
@given(
    translation=st.tuples(numbers, numbers, numbers),
    quaternion=st.tuples(numbers, numbers, numbers, numbers).filter(lambda q: np.linalg.norm(q) > 1e-2),
)
def test_pose_and_matrix_agree_with_scipy_and_with_each_other(
    translation: tuple[float, ...], quaternion: tuple[float, ...]
) -> None:
    pose = torch.tensor([*translation, *quaternion], dtype=torch.float64)
    matrix = matrix_from_pose(pose)
    w, x, y, z = quaternion
    np.testing.assert_allclose(matrix[:3, :3], Rotation.from_quat([x, y, z, w]).as_matrix(), atol=1e-9)
    assert matrix[:3, 3].tolist() == list(translation)
    assert matrix[3].tolist() == [0.0, 0.0, 0.0, 1.0]
    again = pose_from_matrix(matrix)
    assert again[3] >= 0.0
    torch.testing.assert_close(matrix_from_pose(again), matrix, atol=1e-9, rtol=0.0)


@cut3r_golden.needs_golden
def test_poses_agree_with_the_published_network() -> None:
    golden = cut3r_golden.arrays('geometry')
    matrices = matrix_from_pose(torch.from_numpy(golden['pose_activated']))
    assert cut3r_golden.largest_excess(matrices, golden['pose_c2w'], 2e-6, 2e-6) <= 0.0
    poses = pose_from_matrix(torch.from_numpy(golden['pose_c2w']))
    assert cut3r_golden.largest_excess(poses, golden['pose_reencoded'], 5e-6, 5e-6) <= 0.0


def test_batches_keep_their_shape() -> None:
    poses = torch.randn(2, 5, 7)
    assert matrix_from_pose(poses).shape == (2, 5, 4, 4)
    assert pose_from_matrix(matrix_from_pose(poses)).shape == (2, 5, 7)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r'\[\.\.\., 7\].*\[2, 6\]'):
        matrix_from_pose(torch.zeros(2, 6))
    with pytest.raises(ValueError, match='T_world_camera'):
        pose_from_matrix(torch.zeros(3, 3))
