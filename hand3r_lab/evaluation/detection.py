"""Detection recall, precision and F1 on rendered test sequences, by how much of a hand is hidden.

A detection is right when its box overlaps that of a hand of the same side by at least half (intersection over union),
the best scores choosing first and every hand being found once. Hands of which less than a quarter is visible need not
be found: missing them is no miss, and boxes on them, of either side, are not counted as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.evaluation.truth import EvaluatedFrame
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.online.config import DetectionConfig, ReconstructorConfig
from hand3r_ros.online.detection.boxes import intersection_over_union, select_hands
from hand3r_ros.online.detection.network_head import check_detector
from hand3r_ros.online.inference import NetworkRunner
from hand3r_ros.online.preparation import ImageGeometry, resize_and_crop
from hand3r_ros.online.results import HandDetection

MATCHING_OVERLAP = 0.5
SMALLEST_VISIBLE = 0.25
OCCLUSION_BINS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))  # hidden share of a hand


@dataclass(frozen=True)
class TrueHand:
    """A hand that is in the image."""

    box: NDArray[np.floating]  # (4,) px
    side: HandSide
    visible_fraction: float


@dataclass
class DetectionScore:
    """Counts over all frames that were added."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    boxes_found: int = 0  # visible hands with a box on them, of whatever side
    sides_right: int = 0  # ... of their own side
    overlaps: list[float] = field(default_factory=list)
    bins: dict[tuple[float, float], list[int]] = field(default_factory=lambda: {b: [0, 0] for b in OCCLUSION_BINS})

    def add(self, truth: Sequence[TrueHand], detections: Sequence[HandDetection]) -> None:
        """Counts one frame."""
        ordered = sorted(detections, key=lambda found: -found.score)
        of_own_side = match(truth, ordered, same_side=True)
        for index, found in enumerate(ordered):
            if index in of_own_side:
                hand, overlap = of_own_side[index]
                if truth[hand].visible_fraction >= SMALLEST_VISIBLE:
                    self.right += 1
                    self.overlaps.append(overlap)
            elif not any(_is_optional(hand) and _overlap(hand, found) >= MATCHING_OVERLAP for hand in truth):
                self.wrong += 1
        self._add_recall(truth, {hand for hand, _ in of_own_side.values()})
        for index, (hand, _) in match(truth, ordered, same_side=False).items():
            if not _is_optional(truth[hand]):
                self.boxes_found += 1
                self.sides_right += ordered[index].side == truth[hand].side

    def merge(self, other: DetectionScore) -> None:
        """Adds what was counted on other frames."""
        self.right += other.right
        self.wrong += other.wrong
        self.missed += other.missed
        self.boxes_found += other.boxes_found
        self.sides_right += other.sides_right
        self.overlaps += other.overlaps
        for bounds, (matched, count) in other.bins.items():
            self.bins[bounds][0] += matched
            self.bins[bounds][1] += count

    def _add_recall(self, truth: Sequence[TrueHand], found: set[int]) -> None:
        for index, hand in enumerate(truth):
            self.missed += index not in found and not _is_optional(hand)
            hidden = 1.0 - hand.visible_fraction
            counts = self.bins[next((b for b in OCCLUSION_BINS if hidden < b[1]), OCCLUSION_BINS[-1])]
            counts[0] += index in found
            counts[1] += 1

    def numbers(self) -> dict[str, float]:
        """Precision, recall, F1, side accuracy, mean overlap of right boxes, recall per bin (where it has hands)."""
        found, hands = self.right + self.wrong, self.right + self.missed
        numbers = {
            'precision': self.right / found if found else 0.0,
            'recall': self.right / hands if hands else 0.0,
            'F1': 2.0 * self.right / (found + hands) if found + hands else 0.0,
            'side accuracy': self.sides_right / self.boxes_found if self.boxes_found else 0.0,
            'mean overlap': float(np.mean(self.overlaps)) if self.overlaps else 0.0,
            'hands': float(hands),
        }
        for (low, high), (matched, count) in self.bins.items():
            if count:
                numbers[f'recall, {low:.0%} to {high:.0%} hidden'] = matched / count
        return numbers


def match(truth: Sequence[TrueHand], ordered: Sequence[HandDetection], same_side: bool) -> dict[int, tuple[int, float]]:
    """Index of a detection -> index of its hand and their overlap; earlier detections choose first."""
    taken: dict[int, tuple[int, float]] = {}
    for index, found in enumerate(ordered):
        free = set(range(len(truth))) - {hand for hand, _ in taken.values()}
        candidates = [(_overlap(truth[i], found), i) for i in free if not same_side or truth[i].side == found.side]
        overlap, hand = max(candidates, default=(0.0, -1))
        if overlap >= MATCHING_OVERLAP:
            taken[index] = (hand, overlap)
    return taken


def _overlap(hand: TrueHand, found: HandDetection) -> float:
    return intersection_over_union(hand.box, found.box)


def _is_optional(hand: TrueHand) -> bool:
    return hand.visible_fraction < SMALLEST_VISIBLE


class HeadWatch:
    """The network's own detection head, with the default settings of the pipeline, frame by frame."""

    def __init__(self, network: Hand3R, preset: str) -> None:
        """Prepares the head.

        Raises:
            DetectorUnavailableError: the weights have no detection head.

        """
        self._config = ReconstructorConfig(preset=preset, detection=DetectionConfig(detector='network'))
        check_detector(self._config.detection, network.config)
        self._runner = NetworkRunner(network, self._config.device)
        self.score = DetectionScore()

    def __call__(self, frame: EvaluatedFrame) -> None:
        """Counts what the head finds in a frame."""
        height, width = frame.image.shape[:2]
        config = self._runner.config
        geometry = ImageGeometry.for_image(width, height, config.image_long_side, config.scene.patch_size)
        found = self._runner.find_hands(self._runner.encode(resize_and_crop(frame.image, geometry), geometry))
        chosen = select_hands(found, width, height, self._config.max_hands, self._config.detection)
        visible = [hand for hand in frame.hands if hand.visible_fraction > 0.0]
        self.score.add([TrueHand(hand.box, hand.side, hand.visible_fraction) for hand in visible], chosen)


def format_detection(numbers: Mapping[str, float]) -> str:
    """Markdown table of two columns."""
    lines = [f'Hand detection on the same frames, boxes at IoU {MATCHING_OVERLAP}:', '', '| | |', '|---|---|']
    lines += [
        f'| {name} | {value:.0f} |' if name == 'hands' else f'| {name} | {value:.3f} |'
        for name, value in numbers.items()
    ]
    return '\n'.join(lines)
