"""Predicted hands: a tracked hand that is missed for a moment continues with its last motion, and is marked.

Detectors miss single images of a hand that is plainly there, when it blurs or turns. A consumer that holds on to hands
would lose its hand for one image otherwise, and the search in the next image would not know where to begin. Nothing is
seen of a predicted hand: its fingers stay as they were, its wrist moves on and comes to rest, its score falls, and
after ``TrackingConfig.max_prediction`` seconds without evidence it is gone.

This is done after tracking, from results, and not with boxes before: a box would make the hand network pose whatever is
inside of it, as if a hand had been seen there. Boxes that follow hands while a detector is *silent*
(``detection/propagated.py``) are another thing: there the network does look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import Intrinsics, invert_transform, project_points, transform_points
from hand3r_ros.online.config import DetectionConfig
from hand3r_ros.online.detection.boxes import box_around_keypoints, intersection_over_union, is_usable_box
from hand3r_ros.online.results import ArticulationSource, HandResult

FloatArray = NDArray[np.floating]

HALF_SCORE = 0.1
"""Seconds in which the score of a hand that is not seen halves."""

BRAKING = 0.1
"""Seconds in which the speed of such a hand falls to a third; it moves on by as much as it did in this time."""

NEWEST_MOTION = 0.5
"""Share of the newest motion in the velocity of a wrist; the rest is what it was before."""

SAME_PLACE = 0.05
"""Metres between two wrists of one side from which on they are two hands."""

NEAREST = 0.05
"""Metres in front of the camera that every keypoint has to be."""

_ROUNDING = 1e-6  # s


@dataclass(frozen=True)
class View:
    """From where hands are seen."""

    T_world_camera: FloatArray  # (4, 4)
    camera: Intrinsics  # of the source image


def with_velocities(
    hands: Iterable[HandResult], previous: Iterable[HandResult], seconds: float
) -> tuple[HandResult, ...]:
    """Seen hands with the velocity of their wrists in the world, from the image ``seconds`` before."""
    earlier = {hand.track_id: hand for hand in previous}
    return tuple(_with_velocity(hand, earlier.get(hand.track_id), seconds) for hand in hands)


def predicted_hands(
    previous: Iterable[HandResult],
    seen: Collection[HandResult],
    tracked: Collection[int],
    seconds: float,
    longest: float,
    view: View,
    detection: DetectionConfig,
) -> tuple[HandResult, ...]:
    """Hands of the image before that were not found in this one, best scores first.

    Args:
        previous: hands of the image before, seen or predicted.
        seen: hands of this image.
        tracked: ids of the hands that are not forgotten.
        seconds: since the image before.
        longest: seconds without evidence for which a hand is predicted; 0: never.
        view: of this image.
        detection: which boxes are usable and which are of one hand.

    """
    found = {hand.track_id for hand in seen}
    results = []
    for hand in sorted(previous, key=lambda hand: -hand.score):
        unseen = hand.unseen_seconds + seconds
        if hand.track_id in found or hand.track_id not in tracked or not 0.0 < unseen <= longest + _ROUNDING:
            continue
        predicted = _moved_on(hand, seconds, view)
        if predicted is not None and _is_possible(predicted, seen, view, detection):
            results.append(predicted)
    return tuple(results)


def _with_velocity(hand: HandResult, earlier: HandResult | None, seconds: float) -> HandResult:
    if earlier is None or seconds <= 0.0:
        return hand
    if not earlier.is_seen:  # where it was in between is not known
        return replace(hand, velocity_world=earlier.velocity_world)
    velocity = (hand.T_world_wrist[:3, 3] - earlier.T_world_wrist[:3, 3]) / seconds
    if earlier.velocity_world is not None:
        velocity = NEWEST_MOTION * velocity + (1.0 - NEWEST_MOTION) * earlier.velocity_world
    return replace(hand, velocity_world=velocity)


def _moved_on(hand: HandResult, seconds: float, view: View) -> HandResult | None:
    """The hand after some more seconds without evidence; None where it would not be in front of the camera."""
    start, end = hand.unseen_seconds, hand.unseen_seconds + seconds
    velocity = np.zeros(3) if hand.velocity_world is None else np.asarray(hand.velocity_world, np.float64)
    shift = velocity * BRAKING * (np.exp(-start / BRAKING) - np.exp(-end / BRAKING))
    T_world_wrist = np.array(hand.T_world_wrist, np.float64)
    T_world_wrist[:3, 3] += shift
    vertices, keypoints = hand.vertices_world + shift, hand.keypoints_world + shift
    T_camera_world = invert_transform(view.T_world_camera)
    T_camera_wrist = T_camera_world @ T_world_wrist
    keypoints_camera = transform_points(T_camera_world, keypoints)
    if keypoints_camera[:, 2].min() < NEAREST:
        return None
    pixels = project_points(keypoints_camera, view.camera)
    resting_wrist = hand.T_camera_wrist[:3, 3] - hand.translation
    return replace(
        hand,
        score=hand.score * 0.5 ** (seconds / HALF_SCORE),
        box=box_around_keypoints(pixels),
        vertices_camera=transform_points(T_camera_world, vertices),
        keypoints_camera=keypoints_camera,
        vertices_world=vertices,
        keypoints_world=keypoints,
        keypoints_image=pixels,
        T_camera_wrist=T_camera_wrist,
        T_world_wrist=T_world_wrist,
        global_orient=Rotation.from_matrix(T_camera_wrist[:3, :3]).as_rotvec(),
        translation=T_camera_wrist[:3, 3] - resting_wrist,
        placement=None if hand.placement is None else replace(hand.placement, deviation=None),
        articulation=ArticulationSource.PREDICTED,
        keypoint_confidence=np.zeros(len(pixels)),
        unseen_seconds=end,
    )


def _is_possible(hand: HandResult, seen: Iterable[HandResult], view: View, detection: DetectionConfig) -> bool:
    """Whether it is in the image, and nothing else that was found is this hand."""
    if not is_usable_box(hand.box, view.camera.width, view.camera.height, detection.smallest_box):
        return False
    for other in seen:
        apart = float(np.linalg.norm(other.T_world_wrist[:3, 3] - hand.T_world_wrist[:3, 3]))
        if apart < SAME_PLACE or intersection_over_union(other.box, hand.box) > detection.overlap:
            return False
    return True
