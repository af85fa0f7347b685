"""Trivial predictors to compare with: a number means nothing until it beats these."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.scene.encoder import SceneTokens
from hand3r_ros.network.types import Frame
from hand3r_ros.synthetic.sequence import HandTruth


class ZeroedScene(Hand3R):
    """A network whose scene stream sees black images; the hand stream is unchanged."""

    @classmethod
    def of(cls, network: Hand3R) -> ZeroedScene:
        """The same weights, blindfolded."""
        blind = cls(network.config)
        blind.load_state_dict(network.state_dict())
        return blind.eval()

    def encode_scene(self, frame: Frame) -> SceneTokens:
        """Tokens of a black image."""
        return super().encode_scene(dataclasses.replace(frame, image=torch.full_like(frame.image, -1.0)))


def mean_keypoints(hands: Sequence[HandTruth], truth: NDArray) -> NDArray:
    """(N, 21, 3) the mean root-relative hand of its side in camera axes, for every hand."""
    relative = truth - truth[:, :1]
    sides = np.array([hand.side for hand in hands])
    means = {side: relative[sides == side].mean(0) for side in set(sides.tolist())}
    return np.stack([means[side] for side in sides.tolist()])


def mean_articulation(hands: Sequence[HandTruth], layer: HandLayer) -> NDArray:
    """(N, 21, 3) root-relative keypoints of the true orientation with the mean finger pose and shape."""
    right = np.array([hand.side == HandSide.RIGHT for hand in hands])
    rotations = np.stack(
        [h.rotations if r else mirror_rotations(h.rotations) for h, r in zip(hands, right, strict=True)]
    )
    U, _, Vt = np.linalg.svd(rotations[:, 1:].mean(0))  # chordal mean of the joint rotations
    signs = np.linalg.det(U @ Vt)
    U[:, :, 2] *= signs[:, None]
    mean = np.concatenate([rotations[:, :1], np.tile(U @ Vt, (len(hands), 1, 1, 1))], axis=1)
    betas = np.tile(np.stack([hand.betas for hand in hands]).mean(0), (len(hands), 1))
    with torch.inference_mode():
        mesh = layer(torch.from_numpy(mean).float(), torch.from_numpy(betas).float(), torch.from_numpy(right))
    return mesh.keypoints.numpy()
