"""The picture of a run: the image with its hands and the reconstructed scene, with a title and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.visualization.hands import SIDE_COLORS
from hand3r_ros.visualization.overlay import draw_overlay
from hand3r_ros.visualization.scene_view import CAMERA_COLOR, PATH_COLOR, SceneToDraw, draw_scene
from hand3r_ros.visualization.text import draw_text, text_size

PANEL_HEIGHT = 720
SCENE_WIDTH = 960
TITLE_HEIGHT, FOOTER_HEIGHT, GAP = 54, 50, 4
_PAPER = (16, 18, 23)
_INK = (236, 239, 244)
_FAINT_INK = (150, 158, 172)


@dataclass(frozen=True, eq=False)
class PictureContent:
    """What the picture shows."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB, taken by ``scene.T_world_camera``
    scene: SceneToDraw
    title: str
    subtitle: str = ''
    numbers: Sequence[tuple[str, str]] = ()  # name and value, for the footer


def compose_picture(content: PictureContent) -> NDArray[np.uint8]:
    """(H, W, 3) RGB."""
    camera = content.scene.intrinsics
    scale = PANEL_HEIGHT / camera.height
    left = draw_overlay(content.image, content.scene.hands, camera, scale)
    right = _with_legend(draw_scene(content.scene, SCENE_WIDTH, PANEL_HEIGHT), content.scene)
    gap = np.full((PANEL_HEIGHT, GAP, 3), _PAPER, np.uint8)
    panels = np.hstack([left, gap, right])
    title = _strip(panels.shape[1], TITLE_HEIGHT)
    title = draw_text(title, content.title, (18, 14), 22, _INK, bold=True)
    title = draw_text(title, content.subtitle, (18 + text_size(content.title, 22, True)[0] + 18, 19), 17, _FAINT_INK)
    return np.vstack([title, panels, _footer(panels.shape[1], content.numbers)])


def save_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes (H, W, 3) RGB; raises OSError when the file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise OSError(f'{path} cannot be written as an image')


def _strip(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), _PAPER, np.uint8)


def _footer(width: int, numbers: Sequence[tuple[str, str]]) -> NDArray[np.uint8]:
    strip = _strip(width, FOOTER_HEIGHT)
    x = 18
    for name, value in numbers:
        length = text_size(name, 16)[0] + 8 + text_size(value, 16, True)[0]
        if x + length > width - 18:
            break
        strip = draw_text(strip, name, (x, 15), 16, _FAINT_INK)
        strip = draw_text(strip, value, (x + text_size(name, 16)[0] + 8, 15), 16, _INK, bold=True)
        x += length + 30
    return strip


def _with_legend(panel: NDArray[np.uint8], scene: SceneToDraw) -> NDArray[np.uint8]:
    """Names of the colors, in the upper left corner, on a plate so that points of any color leave them readable."""
    entries = [(SIDE_COLORS[side], f'{side.name.lower()} hand') for side in HandSide]
    entries = [entry for entry, side in zip(entries, HandSide, strict=True) if any(h.side == side for h in scene.hands)]
    entries += [(CAMERA_COLOR, 'camera'), (PATH_COLOR, 'camera path')]
    width = 40 + max(text_size(name, 15)[0] for _, name in entries)
    cv2.rectangle(panel, (8, 10), (8 + width, 18 + 26 * len(entries)), _PAPER, -1)
    for row, (color, name) in enumerate(entries):
        y = 18 + 26 * row
        cv2.circle(panel, (24, y + 9), 6, color, -1, cv2.LINE_AA)
        panel = draw_text(panel, name, (40, y), 15, _INK)
    return panel
