"""A first look at an image, before the hands in it are known: the scene tokens, and what the detection head sees.

Boxes are needed before hand crops are cut and before decoding, while the tokens they are found on belong to the same
step. They are computed at most once per frame: on the first question for hands, else by the step itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.detection.peaks import DetectedHands
from hand3r_ros.network.scene.encoder import SceneTokens
from hand3r_ros.online.inference import NetworkRunner
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.results import HandDetection


class Glance:
    """One image as the network gets it; ``tokens`` are there after ``find_hands``."""

    def __init__(self, runner: NetworkRunner, image: NDArray[np.uint8], geometry: ImageGeometry) -> None:
        self._runner = runner
        self.image = image  # (h, w, 3) RGB, the network's image
        self.geometry = geometry
        self.tokens: SceneTokens | None = None

    def find_hands(self) -> tuple[HandDetection, ...]:
        """Hands the detection head sees, in pixels of the source image, weak ones included."""
        self.tokens, hands = self._runner.find_hands(self.image)
        return detections_from_hands(hands, self.geometry)


def detections_from_hands(hands: DetectedHands, geometry: ImageGeometry) -> tuple[HandDetection, ...]:
    """Network pixels to source pixels."""
    boxes = geometry.boxes_to_source(hands.boxes.float().cpu().numpy())
    sides, scores = hands.is_right.cpu().numpy(), hands.scores.cpu().numpy()
    return tuple(
        HandDetection(box, HandSide.RIGHT if is_right else HandSide.LEFT, float(score))
        for box, is_right, score in zip(boxes, sides, scores, strict=True)
    )
