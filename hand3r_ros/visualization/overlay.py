"""Hands drawn on the image they were seen in: translucent mesh, skeleton, box and label."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.joints import KEYPOINT_BONES
from hand3r_ros.visualization.hands import SIDE_COLORS, DrawnHand
from hand3r_ros.visualization.painter import Painter
from hand3r_ros.visualization.text import draw_text, text_size

MESH_OPACITY = 0.62
_SUBPIXEL_BITS = 4


def draw_overlay(
    image: NDArray[np.uint8], hands: Sequence[DrawnHand], intrinsics: Intrinsics, scale: float = 1.0
) -> NDArray[np.uint8]:
    """The image (H, W, 3) RGB, ``scale`` times as large, with the hands on it; ``intrinsics`` belong to ``image``."""
    width, height = round(intrinsics.width * scale), round(intrinsics.height * scale)
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC if scale > 1.0 else cv2.INTER_AREA)
    painter = Painter(intrinsics.resized(width, height), large)
    for hand in sorted(hands, key=lambda hand: -float(hand.keypoints[0, 2])):
        if len(hand.vertices):
            painter.mesh(hand.vertices, hand.faces, SIDE_COLORS[hand.side], MESH_OPACITY)
    drawn = painter.image
    for hand in hands:
        _draw_skeleton(drawn, (hand.keypoints_image + 0.5) * scale - 0.5, hand)
        drawn = _draw_box(drawn, np.asarray(hand.box) * scale, hand)
    return drawn


def estimate_intrinsics(points: ArrayLike, pixels: ArrayLike, width: int, height: int) -> Intrinsics:
    """The pinhole camera, centred and with square pixels, that projects points (N, 3) best to pixels (N, 2).

    For images without calibration: the node's keypoints come in both forms.
    """
    xyz, uv = np.asarray(points, float).reshape(-1, 3), np.asarray(pixels, float).reshape(-1, 2)
    centre = np.array([(width - 1) / 2.0, (height - 1) / 2.0])
    usable = np.isfinite(xyz).all(-1) & np.isfinite(uv).all(-1) & (xyz[:, 2] > 1e-6)
    slopes, offsets = xyz[usable, :2] / xyz[usable, 2:], uv[usable] - centre
    power = float((slopes * slopes).sum())
    focal = float((slopes * offsets).sum()) / power if power > 1e-9 else 0.0
    if focal <= 1.0:
        return Intrinsics.from_field_of_view(60.0, width, height)
    return Intrinsics(focal, focal, float(centre[0]), float(centre[1]), width, height)


def _draw_skeleton(image: NDArray[np.uint8], pixels: NDArray[np.floating], hand: DrawnHand) -> None:
    if not np.isfinite(pixels).all() or np.abs(pixels).max() > 1e5:
        return
    fixed = np.rint(pixels * (1 << _SUBPIXEL_BITS)).astype(int)
    bright = tuple(min(channel * 0.4 + 150.0, 255.0) for channel in SIDE_COLORS[hand.side])
    for parent, child in KEYPOINT_BONES:
        cv2.line(image, fixed[parent].tolist(), fixed[child].tolist(), (20, 20, 20), 4, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.line(image, fixed[parent].tolist(), fixed[child].tolist(), bright, 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    for point in fixed:
        cv2.circle(image, point.tolist(), 4 << _SUBPIXEL_BITS, (20, 20, 20), -1, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.circle(image, point.tolist(), 3 << _SUBPIXEL_BITS, (255, 255, 255), -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_box(image: NDArray[np.uint8], box: NDArray[np.floating], hand: DrawnHand) -> NDArray[np.uint8]:
    color = SIDE_COLORS[hand.side]
    x1, y1, x2, y2 = (int(value) for value in np.rint(np.clip(box, -10_000, 10_000)))
    cv2.rectangle(image, (x1, y1), (x2, y2), color, 2, cv2.LINE_AA)
    distance = float(np.linalg.norm(hand.keypoints[0]))
    label = f'{hand.side.name.lower()}  {hand.score:.2f}  {distance:.2f} m'
    label_width, label_height = text_size(label, 17)
    left = int(np.clip(x1 + 6, 6, max(image.shape[1] - label_width - 8, 6)))
    top = y1 - label_height - 14 if y1 > label_height + 16 else min(y2 + 6, image.shape[0] - label_height - 12)
    plate = tuple(int(channel) for channel in color)
    return draw_text(image, label, (left, max(top, 2)), 17, (15, 18, 24), plate=plate)  # type: ignore[arg-type]
