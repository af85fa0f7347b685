"""The hand stream: crop to tokens f_h (paper eq. 2), tokens to articulation (left half of eq. 6)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.keypoint_head import KeypointHead
from hand3r_ros.network.hand.mano_head import ManoHead, ManoParameters
from hand3r_ros.network.hand.vit import VisionTransformer


class HandStreamOutput(NamedTuple):
    """Tokens and the hand they describe; left hands are described mirrored, as they were cropped."""

    tokens: Tensor  # [N, L, C] f_h
    rotations: Tensor  # [N, 16, 3, 3] global orientation, then 15 joint rotations in MANO order
    betas: Tensor  # [N, 10]
    crop_camera: Tensor  # [N, 3] s, tx, ty


class HandStream(nn.Module):
    """What HaMeR computes from a crop, without its hand model and training-only parts."""

    def __init__(self, config: HandConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = VisionTransformer(config)
        self.mano_head = ManoHead(config)
        self.keypoint_head = KeypointHead(config) if config.query == 'keypoints' else None

    def tokens(self, crops: Tensor) -> Tensor:
        """Crops [N, 3, S, S] from ``crop.hand_crop`` to tokens f_h [N, L, C]; N may be 0."""
        return self.backbone(crops)

    def parameters_of(self, tokens: Tensor) -> ManoParameters:
        """Tokens [N, L, C] to rotations, betas and crop camera."""
        keypoints = None if self.keypoint_head is None else self.keypoint_head(tokens).keypoints()
        return self.mano_head(tokens, keypoints)

    def forward(self, crops: Tensor) -> HandStreamOutput:
        """Crops [N, 3, S, S] to tokens, rotations, betas and crop camera."""
        tokens = self.tokens(crops)
        return HandStreamOutput(tokens, *self.parameters_of(tokens))
