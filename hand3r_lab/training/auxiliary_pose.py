"""Auxiliary head, during training only: the camera pose relative to the table, from the pose token.

Without it the pose head of a network trained from scratch stays at 'the camera never moves': the relative pose needs
the state to carry what the first image showed, and no loss rewards the state for carrying it. The pose relative to the
table is visible in every single image, is learned quickly, and is then part of the token that the pose memory keeps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hand3r_lab.training.clips import ClipFrame
from hand3r_ros.network.rotations import matrix_from_rotation_6d
from hand3r_ros.network.types import Prediction

HIDDEN = 128


class AuxiliaryPoseHead(nn.Module):
    """Pose tokens [N, D] to T_table_camera [N, 3, 4], metres."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 9))
        readout = self.mlp[2]
        assert isinstance(readout, nn.Linear)
        nn.init.trunc_normal_(readout.weight, std=0.01)
        with torch.no_grad():  # half a metre above the edge of the table, looking down along it
            readout.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.5]))

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, D] to [N, 3, 4]."""
        numbers = self.mlp(tokens).float()
        return torch.cat([matrix_from_rotation_6d(numbers[:, :6]), numbers[:, 6:, None]], dim=-1)


def auxiliary_pose_loss(head: AuxiliaryPoseHead, predictions: list[Prediction], clip: list[ClipFrame]) -> Tensor:
    """Mean of the distance in metres and the distance of the rotation matrices; zero where the table is not known."""
    tokens = torch.cat([_token(prediction) for prediction in predictions])
    truth = [frame.T_table_camera for frame in clip if frame.T_table_camera is not None]
    if len(truth) < len(clip):
        return tokens.sum() * 0.0
    difference = head(tokens) - torch.cat(truth)
    return difference[..., 3].norm(dim=-1).mean() + difference[..., :3].flatten(1).norm(dim=-1).mean()


def _token(prediction: Prediction) -> Tensor:
    assert prediction.scene.pose_token is not None  # every scene stream gives it
    return prediction.scene.pose_token
