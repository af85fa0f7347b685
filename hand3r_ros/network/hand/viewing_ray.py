"""Hand orientations relative to the camera frame and to the viewing ray of the hand (ours, not HaMeR's).

A crop shows the orientation of a hand relative to its viewing ray. The orientation in the camera frame also depends on
where in the image the crop was cut and on the lens, which a crop does not show: at the edge of a wide image the two
differ by 30 degrees and more. HaMeR predicts the orientation in the camera frame all the same, and its checkpoints need
that. A stream with ``HandConfig.orientation`` 'line_of_sight' predicts it relative to the viewing ray; intrinsics and
box then give it in the camera frame.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hand3r_ros.network.rotations import cross_product_matrix


def ray_slopes_of_boxes(boxes: Tensor, intrinsics: Tensor, is_right: Tensor) -> Tensor:
    """Viewing rays x / z and y / z [N, 2] through the centres of boxes, right-looking.

    Args:
        boxes: [N, 4] x1, y1, x2, y2 in pixels.
        intrinsics: [N, 4] fx, fy, cx, cy of the same image.
        is_right: [N] bool; left hands are seen mirrored.

    """
    slopes = ((boxes[:, :2] + boxes[:, 2:]) / 2.0 - intrinsics[:, 2:]) / intrinsics[:, :2]
    return mirror_slopes(slopes, is_right)


def mirror_slopes(slopes: Tensor, is_right: Tensor) -> Tensor:
    """Slopes [N, 2] from the image to right-looking or back: x changes sign for left hands, which are mirrored."""
    x, y = slopes.unbind(-1)
    return torch.stack([torch.where(is_right, x, -x), y], dim=-1)


def ray_rotations(slopes: Tensor) -> Tensor:
    """The smallest rotations [N, 3, 3] that take the optical axis to viewing rays [N, 2] = x / z, y / z."""
    direction = torch.cat([slopes, torch.ones_like(slopes[:, :1])], dim=-1)
    x, y, z = torch.nn.functional.normalize(direction, dim=-1).unbind(-1)  # z > 0: never opposite to the axis
    cross = cross_product_matrix(torch.stack([-y, x, torch.zeros_like(x)], dim=-1))
    identity = torch.eye(3, dtype=slopes.dtype, device=slopes.device)
    return identity + cross + cross @ cross / (1.0 + z)[:, None, None]


def in_camera(rotations: Tensor, slopes: Tensor) -> Tensor:
    """Rotations [N, 16, 3, 3] in the camera frame; before, the first was relative to the viewing ray."""
    return _with_orientation(rotations, ray_rotations(slopes) @ rotations[:, 0])


def relative_to_viewing_ray(rotations: Tensor, slopes: Tensor) -> Tensor:
    """The inverse of ``in_camera``."""
    return _with_orientation(rotations, ray_rotations(slopes).transpose(-1, -2) @ rotations[:, 0])


def _with_orientation(rotations: Tensor, orientation: Tensor) -> Tensor:
    return torch.cat([orientation[:, None], rotations[:, 1:]], dim=1)
