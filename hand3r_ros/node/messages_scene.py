"""Pure builders of the messages about the scene: point clouds, depth image and its camera.

Clouds have x, y, z, rgb, all FLOAT32, 16 bytes a point, rgb being 0x00RRGGBB bit-cast: the layout that both RViz and
PCL take. sensor_msgs_py.create_cloud is not used: it transposes organised clouds.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.node import messages
from hand3r_ros.node.parameters import PointParameters
from hand3r_ros.online.results import FrameResult

POINT_STEP = 16
_FIELD_NAMES = ('x', 'y', 'z', 'rgb')
_BIG_ENDIAN = sys.byteorder == 'big'


def point_cloud(header: Header, points: ArrayLike, colors: ArrayLike) -> PointCloud2:
    """sensor_msgs/PointCloud2 of points (N, 3) or organised (H, W, 3), with RGB colors of the same shape (uint8).

    An organised cloud keeps rows and columns (height H, width W) and marks missing points by NaN.
    """
    xyz, rgb = np.asarray(points, np.float32), np.asarray(colors, np.uint8)
    if xyz.shape != rgb.shape or xyz.ndim not in (2, 3) or xyz.shape[-1] != 3:
        raise ValueError(f'points and colors must both be (N, 3) or (H, W, 3), got {xyz.shape} and {rgb.shape}')
    height, width = (1, xyz.shape[0]) if xyz.ndim == 2 else xyz.shape[:2]
    return PointCloud2(
        header=header,
        height=int(height),
        width=int(width),
        fields=[
            PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
            for index, name in enumerate(_FIELD_NAMES)
        ],
        is_bigendian=_BIG_ENDIAN,
        point_step=POINT_STEP,
        row_step=POINT_STEP * int(width),
        data=messages.packed('B', _pack(xyz, rgb).view(np.uint8)),
        is_dense=xyz.ndim == 2,
    )


def frame_cloud(header: Header, result: FrameResult, parameters: PointParameters) -> PointCloud2:
    """The cloud of one frame in the camera's optical frame, thinned and filtered as the parameters say."""
    step = (slice(None, None, parameters.stride),) * 2
    points, colors = result.points_camera[step], result.colors[step]
    keep = usable_points(points, result.confidence[step], parameters.min_confidence, parameters.max_range)
    if parameters.exclude_hands:
        keep &= ~result.hand_mask[step]
    if parameters.organized:
        return point_cloud(header, np.where(keep[..., None], points, np.nan), colors)
    return point_cloud(header, points[keep], colors[keep])


def usable_points(
    points: ArrayLike, confidence: ArrayLike, min_confidence: float, max_range: float
) -> NDArray[np.bool_]:
    """(...) True where a point (..., 3) in optical axes is finite, in front, near enough and trusted."""
    xyz = np.asarray(points)
    with np.errstate(invalid='ignore'):
        near = np.einsum('...i,...i->...', xyz, xyz) <= max_range**2  # False for NaN and infinity
        return np.asarray(near & (xyz[..., 2] > 0.0) & (np.asarray(confidence) >= min_confidence))


def depth_image(header: Header, result: FrameResult, parameters: PointParameters) -> Image:
    """sensor_msgs/Image 32FC1 of metres along the optical axis (REP-118); NaN where there is no trusted point."""
    keep = usable_points(result.points_camera, result.confidence, parameters.min_confidence, parameters.max_range)
    depth = np.where(keep, result.points_camera[..., 2], np.nan).astype(np.float32)
    height, width = depth.shape
    return Image(
        header=header,
        height=int(height),
        width=int(width),
        encoding='32FC1',
        is_bigendian=int(_BIG_ENDIAN),
        step=4 * int(width),
        data=messages.packed('B', depth.view(np.uint8)),
    )


def camera_info(header: Header, intrinsics: Intrinsics) -> CameraInfo:
    """sensor_msgs/CameraInfo of a pinhole camera without distortion."""
    k = intrinsics.matrix()
    return CameraInfo(
        header=header,
        height=int(intrinsics.height),
        width=int(intrinsics.width),
        distortion_model='plumb_bob',
        d=messages.packed('d', np.zeros(5)),
        k=k.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([k, np.zeros((3, 1))]).reshape(-1),
    )


def cloud_arrays(message: PointCloud2) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Points and RGB colors of a cloud made by :func:`point_cloud`, both (N, 3), or (H, W, 3) when organised."""
    floats = np.frombuffer(message.data, np.float32).reshape(message.height, message.width, POINT_STEP // 4)
    packed_rgb = np.ascontiguousarray(floats[..., 3]).view(np.uint32)
    colors = np.stack([packed_rgb >> 16, packed_rgb >> 8, packed_rgb], axis=-1).astype(np.uint8)
    points = floats[..., :3]
    return (points[0], colors[0]) if message.is_dense and message.height == 1 else (points, colors)


def _pack(xyz: NDArray[np.float32], rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 4) float32 rows x, y, z, rgb."""
    packed = np.empty((xyz.size // 3, 4), np.float32)
    packed[:, :3] = xyz.reshape(-1, 3)
    channels = rgb.reshape(-1, 3).astype(np.uint32)
    packed[:, 3] = ((channels[:, 0] << 16) | (channels[:, 1] << 8) | channels[:, 2]).view(np.float32)
    return packed
