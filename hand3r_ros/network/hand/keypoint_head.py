"""Keypoints read from the hand tokens, for a MANO head that starts from them.

Every quarter of a token's patch votes for every keypoint: with a weight, with a place around its centre, and with a
depth relative to the wrist. The votes' weighted mean is the keypoint (integral regression, Sun et al., arXiv
1711.08229). HaMeR's backbone comes from a network that was trained to find keypoints; a small one that starts from
nothing gets the same lesson here.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.network.hand.config import HandConfig

KEYPOINTS = 21
VOTE = 4  # weight, x, y, depth
DIVISION = 2  # of a token's patch along each axis: a patch is wider than a finger
DEPTH_UNIT = 0.1  # m; a hand is about two of them long


class KeypointVotes(NamedTuple):
    """What every cell, a quarter of a token's patch, says about every keypoint."""

    logits: Tensor  # [N, M, 21] of the cell's weight
    places: Tensor  # [N, M, 21, 3] x, y in crop units (whole crop -0.5 .. 0.5), z in metres from the wrist
    centres: Tensor  # [M, 2] x, y of the cells in crop units
    cell: float  # side of a cell in crop units

    def keypoints(self) -> Tensor:
        """[N, 21, 3] the weighted means."""
        return (self.logits.softmax(dim=1)[..., None] * self.places).sum(dim=1)


class KeypointHead(nn.Module):
    """Tokens [N, L, C] to the votes of their cells for 21 keypoints."""

    def __init__(self, config: HandConfig) -> None:
        super().__init__()
        self.grid = config.grid
        self.cell = config.patch_size / config.crop_size / DIVISION
        self.votes = nn.Linear(config.width, DIVISION**2 * KEYPOINTS * VOTE)

    def forward(self, tokens: Tensor) -> KeypointVotes:
        """Votes of tokens [N, L, C]; float32 or better also under autocast."""
        rows, columns = self.grid
        with torch.autocast(tokens.device.type, enabled=False):
            votes = self.votes(tokens.to(self.votes.weight.dtype))
            votes = votes.unflatten(1, (rows, columns)).unflatten(-1, (DIVISION, DIVISION, KEYPOINTS, VOTE))
            votes = votes.transpose(2, 3).flatten(1, 4)  # [N, M, 21, 4], cells row-major over the crop
            centres = self._centres(votes)
            place = centres[:, None] + self.cell * votes[..., 1:3]
            places = torch.cat([place, DEPTH_UNIT * votes[..., 3:]], dim=-1)
            return KeypointVotes(votes[..., 0], places, centres, self.cell)

    def _centres(self, like: Tensor) -> Tensor:
        """[M, 2] x, y of the cells in crop units."""
        rows, columns = (DIVISION * count for count in self.grid)
        y = (torch.arange(rows, device=like.device) - (rows - 1) / 2.0) * self.cell
        x = (torch.arange(columns, device=like.device) - (columns - 1) / 2.0) * self.cell
        return torch.stack(torch.meshgrid(y, x, indexing='ij')[::-1], dim=-1).reshape(-1, 2).to(like)
