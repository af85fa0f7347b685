"""Pure builders of the images that the camera player publishes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hand3r_ros.node import messages


def rgb_image(header: Header, image: NDArray[np.uint8]) -> Image:
    """sensor_msgs/Image rgb8 of (H, W, 3)."""
    height, width = image.shape[:2]
    return Image(
        header=header,
        height=int(height),
        width=int(width),
        encoding='rgb8',
        is_bigendian=0,
        step=3 * int(width),
        data=messages.packed('B', image),
    )


def jpeg_image(header: Header, image: NDArray[np.uint8], quality: int) -> CompressedImage:
    """sensor_msgs/CompressedImage of (H, W, 3) RGB."""
    encoded, data = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise ValueError(f'OpenCV cannot encode an image of shape {image.shape} as JPEG')
    return CompressedImage(header=header, format='rgb8; jpeg compressed bgr8', data=messages.packed('B', data))
