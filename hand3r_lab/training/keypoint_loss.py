"""Losses of the keypoint head, whose tokens vote for keypoints."""

from __future__ import annotations

from torch import Tensor

from hand3r_ros.network.hand.keypoint_head import DEPTH_UNIT, KeypointVotes

HALF_CROP = 0.5
SPREAD = 0.7  # cells; standard deviation of the places that count as right for a cell to vote for


def keypoint_losses(votes: KeypointVotes, truth: Tensor) -> dict[str, Tensor]:
    """``votes``: mean L1 distance of the keypoints; ``cells``: cross-entropy of the cells' weights.

    The second tells every cell which keypoints lie in it. With the first alone, a network whose tokens all vote alike
    stays at the mean hand for thousands of steps.

    Args:
        votes: of N hands and M cells.
        truth: [N, 21, 3] x, y in crop units and z in metres from the wrist; a ``DEPTH_UNIT`` counts as half a crop.

    """
    difference = (votes.keypoints() - truth).abs()
    distance = difference[..., :2].mean() + 0.5 * difference[..., 2].mean() * (HALF_CROP / DEPTH_UNIT)
    offset = (votes.centres[None, :, None] - truth[:, None, :, :2]) / (SPREAD * votes.cell)  # [N, M, 21, 2]
    target = (-0.5 * offset.square().sum(-1)).softmax(dim=1)
    surprise = -(target * votes.logits.log_softmax(dim=1)).sum(dim=1)  # [N, 21]
    return {'votes': distance, 'cells': surprise.mean()}
