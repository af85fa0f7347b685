"""The picture of a run: the image with the best seen hands beside the scene, as the demo draws it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.frames import is_placed
from hand3r_ros.offline.frame_step import Step
from hand3r_ros.offline.tally import Tally
from hand3r_ros.online.mapping import VoxelMap
from hand3r_ros.online.results import HandResult
from hand3r_ros.visualization.hands import DrawnHand
from hand3r_ros.visualization.overlay import estimate_intrinsics
from hand3r_ros.visualization.picture import PictureContent, compose_picture, save_picture
from hand3r_ros.visualization.scene_view import SceneToDraw


class RunPicture:
    """Keeps the best moment and the way of the camera, of the images that this process worked on."""

    def __init__(self, hand_model: HandModelData) -> None:
        self._faces = {side: np.asarray(hand_model.faces(side)) for side in HandSide}
        self._best: Step | None = None
        self._best_value = -1.0
        self._path: list[np.ndarray] = []

    def consider(self, step: Step) -> None:
        """Of equally good moments the later one counts, when the map is fuller."""
        if step.new_session:
            self._path.clear()
            self._best, self._best_value = None, -1.0
        if not is_placed(step.result):
            return
        self._path.append(np.asarray(step.result.T_world_camera))
        height, width = step.image.shape[:2]
        value = sum(_prominence(hand, width, height) for hand in step.result.hands)
        if value >= self._best_value:
            self._best, self._best_value = step, value

    def save(self, path: Path, scene_map: VoxelMap, title: str, tally: Tally) -> bool:
        """Writes a PNG or JPEG; False when there is nothing to show. Raises OSError."""
        if self._best is None:
            return False
        step, cloud = self._best, scene_map.snapshot()
        hands = [self._drawn(hand) for hand in step.result.hands]
        height, width = step.image.shape[:2]
        keypoints = np.concatenate([hand.keypoints for hand in hands]) if hands else np.zeros((0, 3))
        pixels = np.concatenate([hand.keypoints_image for hand in hands]) if hands else np.zeros((0, 2))
        camera = step.frame.intrinsics or estimate_intrinsics(keypoints, pixels, width, height)
        here = np.asarray(step.result.T_world_camera)
        scene = SceneToDraw(cloud.points, cloud.colors, np.stack(self._path), here, camera, hands)
        numbers = [
            ('images', str(tally.processed)),
            ('hands', str(tally.hands)),
            ('ms per image', f'{1e3 * tally.seconds / max(1, tally.processed):.0f}'),
        ]
        save_picture(path, compose_picture(PictureContent(step.image, scene, 'hand3r run', title, numbers)))
        return True

    def _drawn(self, hand: HandResult) -> DrawnHand:
        side = HandSide(hand.side)
        return DrawnHand(
            side,
            hand.score,
            np.asarray(hand.box),
            np.asarray(hand.vertices_camera),
            np.asarray(hand.keypoints_camera),
            np.asarray(hand.keypoints_image),
            self._faces[side],
        )


def _prominence(hand: HandResult, width: int, height: int) -> float:
    """0..1: score, and how large the hand is seen."""
    x1, y1, x2, y2 = np.asarray(hand.box, float)
    size = np.sqrt(max(x2 - x1, 0.0) * max(y2 - y1, 0.0) / (width * height))
    return float(hand.score * min(size / 0.3, 1.0))
