"""How well a run agrees with the ground truth of its rendered scene. No ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hand3r_lab.demo.run_record import Array, FrameRecord, RunRecord, SeenHand
from hand3r_lab.evaluation import metrics
from hand3r_ros.hand_model.sides import HandSide

SMALLEST_VISIBLE = 0.25
"""True hands of which less is visible are not counted."""
WORLD_WINDOW = 30
"""Images of a W-/WA-MPJPE window; shorter runs use all they have, down to SHORTEST_WINDOW."""
SHORTEST_WINDOW = 8
SHORTEST_PATH = 3  # images


@dataclass(frozen=True)
class Accuracy:
    """Means over the run; None: not enough was seen to say."""

    matched_hands: int = 0
    missed_hands: int = 0
    false_hands: int = 0
    pa_mpjpe: float | None = None  # m
    mpjpe: float | None = None  # m, root-relative
    c_mpjpe: float | None = None  # m, camera frame
    w_mpjpe: float | None = None  # m
    wa_mpjpe: float | None = None  # m
    camera_ate: float | None = None  # m, root mean square
    camera_rotation: float | None = None  # rad
    path_length: float | None = None  # m, of the true camera
    depth_abs_rel: float | None = None
    depth_delta1: float | None = None


def measure(run: RunRecord) -> Accuracy | None:
    """The accuracy of a run; None when it has no ground truth."""
    judged = [record for _, record in run.in_order() if record.true_hands is not None and record.hands is not None]
    if not judged:
        return None
    pairs = [(record, *pair) for record in judged for pair in _visible_pairs(record)]
    matched = [(record.keypoints_camera(seen), true) for record, seen, true in pairs if seen is not None]
    known = [(seen, true.keypoints) for seen, true in matched if seen is not None]
    return Accuracy(
        matched_hands=len(known),
        missed_hands=len(pairs) - len(known),
        false_hands=sum(_false_hands(record) for record in judged),
        **_hand_errors(known),
        **_world_errors(run.longest_session()),
        **_camera_errors(run.longest_session()),
        **_depth_errors(judged),
    )


def _visible_pairs(record: FrameRecord) -> Iterator[tuple[SeenHand | None, SeenHand]]:
    """Every true hand that can be seen, with the reconstructed hand of its side."""
    for true in record.true_hands or ():
        if true.score >= SMALLEST_VISIBLE:
            yield _of_side(record.hands or (), true.side), true


def _false_hands(record: FrameRecord) -> int:
    true_sides = {hand.side for hand in record.true_hands or ()}
    return sum(hand.side not in true_sides for hand in record.hands or ())


def _of_side(hands: Sequence[SeenHand], side: HandSide) -> SeenHand | None:
    return max((hand for hand in hands if hand.side == side), key=lambda hand: hand.score, default=None)


def _hand_errors(pairs: Sequence[tuple[Array, Array]]) -> dict[str, float]:
    if not pairs:
        return {}
    predicted, truth = np.stack([seen for seen, _ in pairs]), np.stack([true for _, true in pairs])
    return {
        'pa_mpjpe': float(metrics.procrustes_errors(predicted, truth).mean()),
        'mpjpe': float(metrics.root_relative_errors(predicted, truth).mean()),
        'c_mpjpe': float(metrics.keypoint_errors(predicted, truth).mean()),
    }


def _world_errors(session: Sequence[FrameRecord]) -> dict[str, float]:
    """W- and WA-MPJPE over windows of consecutive sightings of each side."""
    windows = []
    for side in HandSide:
        track = [pair for record in session if (pair := _world_pair(record, side)) is not None]
        length = min(WORLD_WINDOW, len(track))
        if length >= SHORTEST_WINDOW:
            windows += [track[start : start + length] for start in range(0, len(track) - length + 1, length)]
    if not windows:
        return {}
    stacked = [(np.stack([p for p, _ in window]), np.stack([t for _, t in window])) for window in windows]
    return {
        'w_mpjpe': float(np.mean([metrics.world_errors(p, t).mean() for p, t in stacked])),
        'wa_mpjpe': float(np.mean([metrics.world_aligned_errors(p, t).mean() for p, t in stacked])),
    }


def _world_pair(record: FrameRecord, side: HandSide) -> tuple[Array, Array] | None:
    true = _of_side(record.true_hands or (), side)
    seen = _of_side(record.hands or (), side)
    if true is None or seen is None or true.score < SMALLEST_VISIBLE or record.T_scene_camera is None:
        return None
    predicted = record.keypoints_world(seen)
    T = record.T_scene_camera
    return None if predicted is None else (predicted, true.keypoints @ T[:3, :3].T + T[:3, 3])


def _camera_errors(session: Sequence[FrameRecord]) -> dict[str, float]:
    both = [
        (record.T_world_camera, record.T_scene_camera)
        for record in session
        if record.T_world_camera is not None and record.T_scene_camera is not None
    ]
    if len(both) < SHORTEST_PATH:
        return {}
    predicted, truth = np.stack([p for p, _ in both]), np.stack([t for _, t in both])
    position, rotation, _ = metrics.trajectory_errors(predicted, truth)
    steps = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
    return {'camera_ate': position, 'camera_rotation': rotation, 'path_length': float(steps.sum())}


def _depth_errors(judged: Sequence[FrameRecord]) -> dict[str, float]:
    measured = [record.depth_errors for record in judged if record.depth_errors is not None]
    if not measured:
        return {}
    relative, within, counts = (np.array(values, float) for values in zip(*measured, strict=True))
    return {
        'depth_abs_rel': float((relative * counts).sum() / counts.sum()),
        'depth_delta1': float((within * counts).sum() / counts.sum()),
    }
