"""Rotary position encoding in two dimensions (RoPE-2D) with positions that may be negative or fractional.

A head's channels form two halves, rotated by row and by column; inside a half of 2Q channels, channel j turns with
channel j + Q by the angle ``position * base ** (-j / Q)``. Evaluating sine and cosine directly (instead of looking
them up by position) is what lets the pose token sit at (-1, -1) and hand prompts between patches.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Rotation2D(NamedTuple):
    """Cosines and signed sines of a token sequence for one head width."""

    cosine: Tensor  # [B, 1, L, C] float32
    signed_sine: Tensor  # [B, 1, L, C] float32, negative for the first channel of each pair


def rotation_2d(positions: Tensor, head_width: int, base: float) -> Rotation2D:
    """Tables for tokens at ``positions`` [B, L, 2] (row, column) and heads of ``head_width`` channels."""
    quarter = head_width // 4
    exponents = torch.arange(quarter, device=positions.device, dtype=torch.float32) / quarter
    angles = positions.float()[..., None] * base**-exponents  # [B, L, 2, Q]
    cosine, sine = angles.cos(), angles.sin()
    cosine = torch.stack((cosine, cosine), dim=-2).flatten(-3)  # [B, L, 4Q]
    signed_sine = torch.stack((-sine, sine), dim=-2).flatten(-3)
    return Rotation2D(cosine[:, None], signed_sine[:, None])


def rotate(x: Tensor, rotation: Rotation2D, half: bool = False) -> Tensor:
    """Queries or keys [..., B, heads, L, C] turned by their positions, in float32, returned in their own type.

    ``half`` rounds to float16 before and after the rotation.
    """
    dtype = x.dtype
    if half:
        x = x.half()
    x = x.float()
    partner = x.unflatten(-1, (2, 2, -1)).flip(-2).flatten(-3)
    x = torch.addcmul(x * rotation.cosine, partner, rotation.signed_sine)
    if half:
        x = x.half()
    return x.to(dtype)
