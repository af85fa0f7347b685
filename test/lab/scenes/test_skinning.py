"""The fast skinning gives the surface of the differentiable hand."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.skinning import skin_hands
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer


def test_skinned_hands_are_those_of_the_hand_layer():
    rng = np.random.default_rng(3)
    rotations = Rotation.from_rotvec(rng.normal(0.0, 0.6, (9 * 16, 3))).as_matrix().reshape(9, 16, 3, 3)
    betas = rng.normal(0.0, 1.0, 10)
    expected = HandLayer(load_open_hand())(
        torch.from_numpy(rotations).float(), torch.from_numpy(betas).float().expand(9, 10), torch.ones(9).bool()
    )
    hands = skin_hands(rotations, betas)
    np.testing.assert_allclose(hands.vertices, expected.vertices, atol=1e-6)
    np.testing.assert_allclose(hands.keypoints, expected.keypoints, atol=1e-6)
    np.testing.assert_allclose(hands.keypoints[:, 0], 0.0, atol=1e-7)  # the wrist joint is the origin
