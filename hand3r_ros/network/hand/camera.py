"""From HaMeR's crop camera to metres in the camera frame, and back to pixels.

The hand stream predicts a weak-perspective camera (s, tx, ty) per crop: a scale and a shift of the hand in the square
crop. With the crop's place in the image and the true focal length it becomes a translation in the camera's optical
frame. That translation belongs to the origin of the MANO model; the wrist joint lies at ``translation + rest_root``
(the layer's ``rest_root``, mirrored for left hands), because MANO turns about its root joint and not about its origin.
"""

from __future__ import annotations

import torch
from torch import Tensor

TRAINING_FOCAL = 5000.0
"""Pixels at ``TRAINING_CROP``: the fictitious focal length HaMeR was trained with."""

TRAINING_CROP = 256.0

_EPSILON = 1e-9


def mirror_crop_camera(crop_camera: Tensor, is_right: Tensor) -> Tensor:
    """Crop cameras [N, 3] as they are in the image: tx changes sign for left hands, which were cropped mirrored."""
    s, tx, ty = crop_camera.unbind(-1)
    return torch.stack([s, torch.where(is_right, tx, -tx), ty], dim=-1)


def crop_translation(crop_camera: Tensor) -> Tensor:
    """Translation [..., 3] under HaMeR's training camera: focal 5000 px, the crop's centre on the axis.

    Only projections into the crop mean anything with it; for metres use ``full_image_translation``.
    """
    s, tx, ty = crop_camera.unbind(-1)
    return torch.stack([tx, ty, 2.0 * TRAINING_FOCAL / (TRAINING_CROP * s + _EPSILON)], dim=-1)


def project_to_crop(points: Tensor, crop_camera: Tensor) -> Tensor:
    """Crop-normalised pixels [N, P, 2] of model points [N, P, 3]; the whole crop is -0.5 .. 0.5.

    Independent of the crop's resolution: pixel = crop_size * (value + 0.5).
    """
    seen = points + crop_translation(crop_camera)[:, None]
    return TRAINING_FOCAL / TRAINING_CROP * seen[..., :2] / seen[..., 2:]


def full_image_translation(
    crop_camera: Tensor, center: Tensor, size: Tensor, focal: Tensor, principal: Tensor
) -> Tensor:
    """Translation of the hand model's origin in the camera's optical frame, in metres.

    Args:
        crop_camera: [..., 3] s, tx, ty, already mirrored back for left hands (``mirror_crop_camera``).
        center: [..., 2] centre of the square crop in image pixels, un-mirrored.
        size: [...] side of the square crop in image pixels.
        focal: [..., 2] true focal lengths fx, fy in pixels. HaMeR's demo assumes 5000 / 256 times the image's long
            side, which gives absurd depths.
        principal: [..., 2] principal point in pixels.

    Returns:
        [..., 3] metres. Depth is 2 f / (size s): the crop spans 2 / s metres at the hand.

    """
    s, tx, ty = crop_camera.unbind(-1)
    scaled_size = size * s + _EPSILON
    depth = 2.0 * mean_focal_length(focal) / scaled_size
    offset = (center - principal) / focal * depth[..., None]
    return torch.stack([tx + offset[..., 0], ty + offset[..., 1], depth], dim=-1)


def mean_focal_length(focal: Tensor) -> Tensor:
    """[...] geometric mean of [..., 2] fx, fy: with unequal ones, what a square crop sees a hand through."""
    fx, fy = focal.unbind(-1)
    return (fx * fy).sqrt()  # not prod(), whose gradient asks the device whether anything is zero


def perspective_translation(points: Tensor, pixels: Tensor, focal: Tensor, principal: Tensor) -> Tensor:
    """Translation under which the true camera sees points at given pixels.

    ``full_image_translation`` reads the crop's scale as the distance of the model's *origin*. But the network learned
    that scale from how large the whole hand looks, with a camera so long that perspective plays no part: a hand that
    points at the camera lands wrong by up to its own length. Solving for the translation that shows the posed hand
    where the network says it appears (``project_to_crop``) takes the perspective of the true camera into account.

    Args:
        points: [..., P, 3] metres, posed, in camera axes, relative to any point of the hand.
        pixels: [..., P, 2] where they appear in the image.
        focal: [..., 2] true focal lengths fx, fy in pixels.
        principal: [..., 2] principal point in pixels.

    Returns:
        [..., 3] metres, of the point that ``points`` are relative to: least squares over the distances of the points
        from their lines of sight, along x and y. Meaningless (but finite) when all pixels coincide.

    """
    slopes = (pixels - principal[..., None, :]) / focal[..., None, :]  # x / z and y / z of the lines of sight
    beside = points[..., :2] - slopes * points[..., 2:]
    mean_slope, mean_beside = slopes.mean(-2), beside.mean(-2)
    slope_spread, beside_spread = slopes - mean_slope[..., None, :], beside - mean_beside[..., None, :]
    spread = slope_spread.square().sum((-2, -1)).clamp(min=_EPSILON**2)
    depth = (slope_spread * beside_spread).sum((-2, -1)) / spread
    return torch.cat([mean_slope * depth[..., None] - mean_beside, depth[..., None]], dim=-1)


def project_to_image(points_camera: Tensor, focal: Tensor, principal: Tensor) -> Tensor:
    """Pixels [..., P, 2] of points [..., P, 3] in optical axes; focal and principal are [..., 2].

    Depth is floored at a millimetre, so that points behind the camera give finite (if meaningless) pixels and
    gradients in a loss.
    """
    depth = points_camera[..., 2:].clamp(min=1e-3)
    return focal[..., None, :] * points_camera[..., :2] / depth + principal[..., None, :]
