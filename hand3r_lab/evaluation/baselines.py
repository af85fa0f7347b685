"""Trivial predictors to compare with: a number means nothing until it beats these.

Means are those of the *test* hands themselves, which flatters the predictors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hand3r_lab.evaluation.numbers import Numbers, camera_numbers, hand_numbers, scene_numbers, world_numbers
from hand3r_lab.evaluation.samples import HandSample, Samples, depth_error_sums
from hand3r_lab.evaluation.truth import EvaluatedHand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.sides import HandSide


def baseline_numbers(samples: Samples, layer: HandLayer) -> dict[str, Numbers]:
    """A row per baseline, for what it says something about; hands of baselines are in the world of a still camera."""
    rows: dict[str, Numbers] = {}
    still = [(np.tile(truth[0], (len(truth), 1, 1)), truth) for _, truth in samples.cameras]
    static, constant_depth = camera_numbers(still), Numbers()
    if samples.hands:
        hands, predicted, truth = [s.hand for s in samples.hands], samples.predicted, samples.truth
        relative = predicted - predicted[:, :1]
        constant = constant_depth_wrists(truth)[:, None]
        for name, keypoints in (
            ('mean pose', mean_keypoints(hands, truth) + constant),
            ('true rotation + mean pose', mean_articulation(hands, layer) + constant),
        ):
            rows[name] = {**hand_numbers(keypoints, truth), **_still_world(samples, keypoints)}
        apparent = relative + box_size_wrists(samples.hands)[:, None]
        rows['depth from box size'] = _placing_numbers(samples, apparent)
        constant_depth = _placing_numbers(samples, relative + constant)
        static |= _still_world(samples, predicted)
    if samples.true_depth:
        median = np.median(np.concatenate(samples.true_depth))
        # Frame by frame: all pixels of a large test set at once would take gigabytes.
        sums = sum(depth_error_sums(np.full_like(depth, median), depth) for depth in samples.true_depth)
        constant_depth |= scene_numbers(Samples(depth_sums=np.asarray(sums)))
    rows['constant depth'] = constant_depth
    rows['static camera'] = static
    return {name: row for name, row in rows.items() if row}


def _placing_numbers(samples: Samples, keypoints: NDArray) -> Numbers:
    """Of predicted hands (N, 21, 3) m that are put somewhere else: what depends on the place."""
    return {
        'C-MPJPE mm': hand_numbers(keypoints, samples.truth)['C-MPJPE mm'],
        **_still_world(samples, keypoints),
    }


def _still_world(samples: Samples, keypoints: NDArray) -> Numbers:
    """Errors in the world of hands (N, 21, 3) m in camera axes, when the camera is said never to move.

    Jitter is left out: it would be that of the still camera.
    """
    tracks = [dataclasses.replace(track, predicted=keypoints[track.hands]) for track in samples.tracks]
    return {name: value for name, value in world_numbers(tracks).items() if not name.startswith('jitter')}


def mean_keypoints(hands: Sequence[EvaluatedHand], truth: NDArray) -> NDArray:
    """(N, 21, 3) the mean root-relative hand of its side in camera axes, for every hand."""
    relative = truth - truth[:, :1]
    sides = np.array([hand.side for hand in hands])
    means = {side: relative[sides == side].mean(0) for side in set(sides.tolist())}
    return np.stack([means[side] for side in sides.tolist()])


def mean_articulation(hands: Sequence[EvaluatedHand], layer: HandLayer) -> NDArray:
    """(N, 21, 3) root-relative keypoints of the true orientation with the mean finger pose and shape."""
    right = np.array([hand.side == HandSide.RIGHT for hand in hands])
    rotations = np.stack([hand.rotations for hand in hands])
    U, _, Vt = np.linalg.svd(rotations[:, 1:].mean(0))  # chordal mean of the joint rotations
    signs = np.linalg.det(U @ Vt)
    U[:, :, 2] *= signs[:, None]
    mean = np.concatenate([rotations[:, :1], np.tile(U @ Vt, (len(hands), 1, 1, 1))], axis=1)
    betas = np.tile(np.stack([hand.betas for hand in hands]).mean(0), (len(hands), 1))
    with torch.inference_mode():
        mesh = layer(torch.from_numpy(mean).float(), torch.from_numpy(betas).float(), torch.from_numpy(right))
    return mesh.keypoints.numpy()


def constant_depth_wrists(truth: NDArray) -> NDArray:
    """(N, 3) wrists at the mean true depth, on the ray through the true wrist pixel, of true keypoints (N, 21, 3)."""
    return truth[:, 0] / truth[:, 0, 2:] * float(truth[:, 0, 2].mean())


def box_size_wrists(hands: Sequence[HandSample]) -> NDArray:
    """(N, 3) wrists as far away as a hand of the mean size looks as large as the box.

    On the ray through the true wrist pixel; depth = focal length * mean size / longer side of the box, where the mean
    size is that of the hands themselves.
    """
    truth = np.stack([sample.truth[0] for sample in hands])  # (N, 3)
    apparent = np.array(  # radians
        [
            max(
                (sample.hand.box[2] - sample.hand.box[0]) / sample.intrinsics.fx,
                (sample.hand.box[3] - sample.hand.box[1]) / sample.intrinsics.fy,
            )
            for sample in hands
        ]
    )
    apparent = np.maximum(apparent, 1e-3)  # a box cut off by the border may have next to no extent
    size = float((apparent * truth[:, 2]).mean())  # m
    return truth / truth[:, 2:] * (size / apparent)[:, None]
