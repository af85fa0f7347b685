"""Rotations as the networks write them: 6D vectors, axis-angle vectors, quaternions and matrices, in torch.

Every function takes any leading dimensions (``...``), keeps the dtype and has finite gradients everywhere.
The 6D layout is the consecutive one of HaMeR: six numbers are two 3-vectors a1, a2 that become, by Gram-Schmidt
(Zhou et al., "On the Continuity of Rotation Representations in Neural Networks"), the first two columns.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

_SMALL_SQUARE = 1e-3
"""Below this squared length the Taylor series is used: exact to float32, and no division by zero in the gradient."""


def matrix_from_rotation_6d(vectors: Tensor) -> Tensor:
    """Matrices [..., 3, 3] from two consecutive 3-vectors [..., 6].

    A zero or parallel pair has no rotation; it gives a matrix with zero columns (lengths are floored at 1e-12), as
    the published network does.
    """
    _require_last(vectors, 6, 'vectors')
    a1, a2 = vectors[..., :3], vectors[..., 3:]
    b1 = normalize(a1, dim=-1, eps=1e-12)
    b2 = normalize(a2 - (b1 * a2).sum(-1, keepdim=True) * b1, dim=-1, eps=1e-12)
    b3 = torch.linalg.cross(b1, b2, dim=-1)
    return torch.stack([b1, b2, b3], dim=-1)


def rotation_6d_from_matrix(matrices: Tensor) -> Tensor:
    """The first two columns, one after the other, [..., 6] of matrices [..., 3, 3]."""
    _require_matrices(matrices)
    return torch.cat([matrices[..., :, 0], matrices[..., :, 1]], dim=-1)


def matrix_from_axis_angle(axis_angle: Tensor) -> Tensor:
    """Matrices [..., 3, 3] from axis times angle in radians [..., 3] (Rodrigues)."""
    _require_last(axis_angle, 3, 'axis_angle')
    square = axis_angle.square().sum(-1)[..., None, None]
    small = square < _SMALL_SQUARE
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sine_term = torch.where(small, 1.0 - square / 6.0 + square.square() / 120.0, angle.sin() / angle)
    half_sine = (0.5 * angle).sin() / angle
    cosine_term = torch.where(small, 0.5 - square / 24.0 + square.square() / 720.0, 2.0 * half_sine.square())
    cross = cross_product_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine_term * cross + cosine_term * (cross @ cross)


def axis_angle_from_matrix(matrices: Tensor) -> Tensor:
    """Axis times angle [..., 3], angle 0..pi radians, of rotation matrices [..., 3, 3].

    At exactly pi both signs of the axis describe the rotation; one of them is returned.
    """
    quaternion = quaternion_from_matrix(matrices)
    w, vector = quaternion[..., :1], quaternion[..., 1:]
    square = vector.square().sum(-1, keepdim=True)
    small = square < _SMALL_SQUARE
    sine = torch.where(small, torch.ones_like(square), square).sqrt()
    # 2 asin(s) / s for small rotations, where w is close to 1.
    series = 2.0 + square / 3.0 + 3.0 / 20.0 * square.square()
    return vector * torch.where(small, series, 2.0 * torch.atan2(sine, w) / sine)


def quaternion_from_matrix(matrices: Tensor) -> Tensor:
    """Unit quaternions [..., 4], w first and not negative, of rotation matrices [..., 3, 3].

    The symmetric 4x4 matrix 4 q q^T is linear in the entries of the rotation; its row with the largest diagonal is a
    well conditioned multiple of q for every rotation (Shepperd's choice), so nothing is ever divided by zero.
    """
    _require_matrices(matrices)
    m00, m01, m02 = matrices[..., 0, :].unbind(-1)
    m10, m11, m12 = matrices[..., 1, :].unbind(-1)
    m20, m21, m22 = matrices[..., 2, :].unbind(-1)
    rows = [
        torch.stack([1.0 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01], dim=-1),
        torch.stack([m21 - m12, 1.0 + m00 - m11 - m22, m10 + m01, m02 + m20], dim=-1),
        torch.stack([m02 - m20, m10 + m01, 1.0 - m00 + m11 - m22, m21 + m12], dim=-1),
        torch.stack([m10 - m01, m02 + m20, m21 + m12, 1.0 - m00 - m11 + m22], dim=-1),
    ]
    outer = torch.stack(rows, dim=-2)  # [..., 4, 4]
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = torch.take_along_dim(outer, best[..., None, None], dim=-2).squeeze(-2)
    quaternion = normalize(row, dim=-1)
    return torch.where(quaternion[..., :1] < 0.0, -quaternion, quaternion)


def cross_product_matrix(vectors: Tensor) -> Tensor:
    """Skew-symmetric [..., 3, 3] with ``K @ x == cross(vector, x)`` for vectors [..., 3]."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def _require_last(tensor: Tensor, size: int, name: str) -> None:
    if tensor.ndim == 0 or tensor.shape[-1] != size:
        raise ValueError(f'{name} must have a last dimension of {size}, got shape {tuple(tensor.shape)}')


def _require_matrices(matrices: Tensor) -> None:
    if matrices.shape[-2:] != (3, 3):
        raise ValueError(f'matrices must have shape (..., 3, 3), got {tuple(matrices.shape)}')
