"""From a depth image as it was published to one in the view of the corrected colour image.

Depth whose frame is that of the image is registered to it: drivers say so by the frame ("aligned depth"). Any other is
carried over with the calibration of the depth camera and its place in TF; where one of them is missing it is refused,
because depth at the wrong pixels is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Array, Intrinsics
from hand3r_ros.node.image_correction import ImageCorrection
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.names import frame_name, shortened
from hand3r_ros.online.depth_registration import registered


class DepthRefusedError(ValueError):
    """The depth cannot be brought to the image; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class PublishedDepth:
    """A depth image as it came."""

    metres: NDArray[np.float32]  # (h, w), 0 or not finite without reading
    frame_id: str  # '' where nobody names one: that of the image then
    calibration: Calibration | None = None  # of the depth camera, as far as it is known


def aligned_depth(
    depth: PublishedDepth, image_frame: str, correction: ImageCorrection, lookup: Callable[[str, str], Array]
) -> NDArray[np.float32]:
    """(H, W) metres in the view of the corrected image.

    Args:
        depth: as it came.
        image_frame: the optical frame of the image, as it came.
        correction: of the image.
        lookup: ``T_target_source`` (4, 4) of two frames; raises LookupError.

    Raises:
        DepthRefusedError: depth of another frame, and it is not known how that camera sees or where it is.

    """
    frame = frame_name(depth.frame_id)
    if not frame or frame == frame_name(image_frame):
        return correction.depth(depth.metres)
    other = f"depth is in the frame '{shortened(frame)}', the image in '{shortened(image_frame)}'"
    advice = "take the driver's depth that is registered (aligned) to colour"
    if correction.intrinsics is None:
        raise DepthRefusedError(f'{other}, and the image has no camera_info to register it with: {advice}')
    camera = _without_distortion(depth, other, advice)
    try:
        T_image_depth = lookup(image_frame, frame)
    except LookupError as error:
        raise DepthRefusedError(f'{other}, and {error}: publish it, or {advice}') from error
    return registered(depth.metres, camera, T_image_depth, correction.intrinsics)


def _without_distortion(depth: PublishedDepth, other: str, advice: str) -> Intrinsics:
    """The depth camera as a pinhole; depth cameras bend little, and drivers say their depth is rectified."""
    if depth.calibration is None:
        raise DepthRefusedError(f'{other}, and there is no depth/camera_info to register it with: {advice}')
    camera, (height, width) = depth.calibration.intrinsics, depth.metres.shape
    if (camera.width, camera.height) != (width, height):
        raise DepthRefusedError(
            f'depth has {width} x {height} pixels, its camera_info is for {camera.width} x {camera.height}'
        )
    return camera
