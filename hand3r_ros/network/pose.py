"""Camera poses of the network: tx ty tz qw qx qy qz (w first) and 4x4 matrices.

The network's world is the first camera's optical frame. ROS order (x y z w) lives in ``hand3r_ros.geometry``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hand3r_ros.device_constants import constant


def matrix_from_pose(pose: Tensor) -> Tensor:
    """``T_world_camera`` [..., 4, 4] from [..., 7] tx ty tz qw qx qy qz; quaternions of any length but zero."""
    if pose.shape[-1] != 7:
        raise ValueError(f'pose must be [..., 7] tx ty tz qw qx qy qz, got {list(pose.shape)}')
    translation, (w, x, y, z) = pose[..., :3], pose[..., 3:].unbind(-1)
    scale = 2.0 / (w * w + x * x + y * y + z * z)
    rows = (
        (1.0 - scale * (y * y + z * z), scale * (x * y - w * z), scale * (x * z + w * y)),
        (scale * (x * y + w * z), 1.0 - scale * (x * x + z * z), scale * (y * z - w * x)),
        (scale * (x * z - w * y), scale * (y * z + w * x), 1.0 - scale * (x * x + y * y)),
    )
    rotation = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)  # [..., 3, 3]
    upper = torch.cat((rotation, translation[..., None]), dim=-1)
    last = constant([0.0, 0.0, 0.0, 1.0], pose).expand(*pose.shape[:-1], 1, 4)
    return torch.cat((upper, last), dim=-2)


def pose_from_matrix(T_world_camera: Tensor) -> Tensor:
    """[..., 7] tx ty tz qw qx qy qz with qw >= 0 from rigid transforms [..., 4, 4]."""
    if T_world_camera.shape[-2:] != (4, 4):
        raise ValueError(f'T_world_camera must be [..., 4, 4], got {list(T_world_camera.shape)}')
    quaternion = _quaternion_from_rotation(T_world_camera[..., :3, :3])
    quaternion = torch.where(quaternion[..., :1] < 0.0, -quaternion, quaternion)
    return torch.cat((T_world_camera[..., :3, 3], quaternion), dim=-1)


def _quaternion_from_rotation(rotation: Tensor) -> Tensor:
    """[..., 4] w x y z. Each candidate row divides by one component; the largest is always well away from zero."""
    m = rotation
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    # Rows are 4 q_i * (w, x, y, z) for i = w, x, y, z.
    candidates = torch.stack(
        [
            torch.stack([1.0 + xx + yy + zz, wx, wy, wz], dim=-1),
            torch.stack([wx, 1.0 + xx - yy - zz, xy, xz], dim=-1),
            torch.stack([wy, xy, 1.0 - xx + yy - zz, yz], dim=-1),
            torch.stack([wz, xz, yz, 1.0 - xx - yy + zz], dim=-1),
        ],
        dim=-2,
    )
    largest = candidates.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)  # [...]
    index = largest[..., None, None].expand(*largest.shape, 1, 4)
    return torch.nn.functional.normalize(candidates.gather(-2, index)[..., 0, :], dim=-1)
