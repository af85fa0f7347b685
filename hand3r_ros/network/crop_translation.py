"""A hand's translation from its crop camera, and a learned correction of it (ours, not the paper's).

HaMeR's crop camera gives the apparent size of the hand; with a focal length that is a distance. It knows nothing about
the scene, and the distance of a hand that points at the camera is wrong by up to the hand's length, but it is right to
about ten per cent from the first step of fusion training on. So a small network only has to learn the error of the crop
camera, not the translation itself.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hand3r_ros.network.hand.camera import full_image_translation, mean_focal_length, mirror_crop_camera
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.types import HandBoxes

CROP_NUMBERS = 3
ASPECT = 4.0 / 3.0  # height over width of what the hand stream looks at
LARGEST_CORRECTION = 3.0  # of the logarithm of the distance; keeps a wild head finite


class CropTranslation(NamedTuple):
    """Translations of hands as their crop cameras give them."""

    origin: Tensor  # [N, 3] m, of the hand model, camera's optical frame
    outwards: Tensor  # [N] 1 for right hands, -1 for left ones, which the hand stream sees mirrored
    breadth: Tensor  # [N] m across the crop at that distance

    def corrected(self, correction: Tensor) -> Tensor:
        """Wrists [N, 3] in metres.

        ``correction`` [N, 3] is sideways, in crop sides as the hand stream sees them, and of the log distance.
        """
        farther = correction[:, 2:].clamp(-LARGEST_CORRECTION, LARGEST_CORRECTION).exp()
        x, y = (correction[:, :2] * self.breadth[:, None]).unbind(-1)
        sideways = torch.stack([x * self.outwards, y, torch.zeros_like(x)], dim=-1)
        return (self.origin + sideways) * farther


def crop_squares(boxes: Tensor, rescale: float) -> tuple[Tensor, Tensor]:
    """Centres [N, 2] and sides [N] of the crops of boxes [N, 4], in pixels (``hand.crop.crop_square``)."""
    extent = boxes[:, 2:] - boxes[:, :2]
    side = rescale * torch.maximum(extent[:, 1], extent[:, 0] * ASPECT)
    return (boxes[:, :2] + boxes[:, 2:]) / 2.0, side.clamp(min=1.0)


def crop_translation(crop_camera: Tensor, hands: HandBoxes, intrinsics: Tensor, config: HandConfig) -> CropTranslation:
    """Translations of N hands.

    Args:
        crop_camera: [N, 3] of the hand stream, right-looking.
        hands: boxes in pixels of the scene image.
        intrinsics: [B, 4] fx, fy, cx, cy of each image in the same pixels.
        config: of the hand stream, which says how crops are cut.

    """
    camera = _sensible(mirror_crop_camera(crop_camera, hands.is_right))
    center, side = crop_squares(hands.boxes, config.crop_rescale)
    own = intrinsics[hands.batch_index.long()]  # an empty list of hands may come without a type
    origin = full_image_translation(camera, center, side, own[:, :2], own[:, 2:])
    outwards = torch.where(hands.is_right, 1.0, -1.0).to(origin)
    return CropTranslation(origin, outwards, side / mean_focal_length(own[:, :2]) * origin[:, 2])


def crop_numbers(crop_camera: Tensor, hands: HandBoxes, image_size: tuple[int, int], config: HandConfig) -> Tensor:
    """[N, 3] features of the crop camera for a prompt.

    The log distance if the focal length were the long side of the image, and the shift in the crop in half crop sides.
    """
    camera = _sensible(mirror_crop_camera(crop_camera, hands.is_right))
    _, side = crop_squares(hands.boxes, config.crop_rescale)
    distance = 2.0 * max(image_size) / (side * camera[:, 0])
    return torch.cat([distance.log()[:, None], camera[:, 1:] * camera[:, :1]], dim=-1)


def _sensible(crop_camera: Tensor) -> Tensor:
    """Crop cameras [N, 3] with a scale that can be divided by."""
    return torch.cat([crop_camera[:, :1].clamp(min=0.1), crop_camera[:, 1:]], dim=-1)
