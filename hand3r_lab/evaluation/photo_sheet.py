"""All photos of an evaluation on one sheet, with the published hands drawn on them: wrong fits are seen at a glance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_lab.evaluation.photos import SeenPhoto
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.results import HandResult
from hand3r_ros.visualization.hands import DrawnHand
from hand3r_ros.visualization.overlay import draw_overlay
from hand3r_ros.visualization.text import draw_text

COLUMNS = 8
TILE = (320, 240)
"""Width and height, px."""
_RIGHT, _WRONG, _LABEL = (70, 180, 90), (225, 60, 60), (250, 240, 90)
_PAPER = 20


def draw_sheet(photos: Sequence[SeenPhoto], columns: int = COLUMNS) -> NDArray[np.uint8]:
    """(H, W, 3) RGB. Below each photo: file, labelled and counted fingers, red where one is wrong or a hand missed."""
    width, height = TILE
    rows = max(1, math.ceil(len(photos) / columns))
    sheet = np.full((rows * height, columns * width, 3), _PAPER, np.uint8)
    faces = {side: np.asarray(load_open_hand().faces(side)) for side in HandSide}
    for index, photo in enumerate(photos):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + height, left : left + width] = _tile(photo, faces)
    return sheet


def _tile(photo: SeenPhoto, faces: Mapping[HandSide, NDArray[np.integer]]) -> NDArray[np.uint8]:
    width, height = TILE
    scale = min(width / photo.camera.width, height / photo.camera.height)
    drawn = draw_overlay(photo.image, [_drawn(hand, faces) for hand in photo.hands], photo.camera, scale)
    for hand in photo.photo.hands:
        first, second = (np.rint(corner * scale).astype(int).tolist() for corner in (hand.box[:2], hand.box[2:]))
        cv2.rectangle(drawn, first, second, _LABEL, 1)
    tile = np.full((height, width, 3), _PAPER, np.uint8)
    tile[: drawn.shape[0], : drawn.shape[1]] = drawn[:height, :width]
    labelled = [hand.fingers for hand in photo.photo.hands]
    is_right = list(photo.counts) == labelled
    counted = ', '.join('missed' if count is None else str(count) for count in photo.counts)
    text = f'{photo.photo.path.stem}: {", ".join(map(str, labelled))} -> {counted}'
    color = _RIGHT if is_right else _WRONG
    cv2.rectangle(tile, (0, 0), (width - 1, height - 1), color, 1 if is_right else 4)
    return draw_text(tile, text, (12, height - 24), 13, (255, 255, 255), plate=color)


def _drawn(hand: HandResult, faces: Mapping[HandSide, NDArray[np.integer]]) -> DrawnHand:
    return DrawnHand(
        hand.side,
        hand.score,
        hand.box,
        hand.vertices_camera,
        hand.keypoints_camera,
        hand.keypoints_image,
        faces[hand.side],
    )
