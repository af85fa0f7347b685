"""The dual decoder: image tokens and state tokens that read each other, layer by layer in parallel (paper eq. 5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.network.scene.blocks import DecoderBlock, initialise_linear_layers, key_mask_from, layer_norm
from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.rope import Rotation2D, rotation_2d


class DecoderOutput(NamedTuple):
    """What the decoder makes of one frame."""

    layers: tuple[Tensor, ...]  # depth tensors [B, T, D] of the image side; the last is normalised
    state: Tensor  # [B, S, D] new state, normalised
    state_logit: Tensor | None  # [B, S] mean logit of each state token towards the image; None unless asked for


class DualDecoder(nn.Module):
    """Two transformers with separate weights; in each layer both read the other side's previous layer."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        width, ratio, depth = config.decoder_width, config.mlp_ratio, config.decoder_depth
        self.rope_base = config.rope_base
        self.image_head_width = width // config.decoder_heads
        self.state_head_width = width // config.state_heads
        self.image_embedding = nn.Linear(config.encoder_width, width)
        self.image_blocks = nn.ModuleList(DecoderBlock(width, config.decoder_heads, ratio) for _ in range(depth))
        self.state_blocks = nn.ModuleList(DecoderBlock(width, config.state_heads, ratio) for _ in range(depth))
        self.image_norm = layer_norm(width)
        self.state_norm = layer_norm(width)
        initialise_linear_layers(self)

    def forward(
        self,
        image: Tensor,  # [B, T, D] pose token, embedded image tokens, prompts
        image_positions: Tensor,  # [B, T, 2]
        state: Tensor,  # [B, S, D]
        state_positions: Tensor,  # [B, S, 2]
        image_valid: Tensor | None = None,  # [B, T] bool, False for padding; None: no padding
        with_state_logit: bool = False,
    ) -> DecoderOutput:
        """Decoded image tokens of every layer and the new state."""
        image_mask = key_mask_from(image_valid)
        # Each side rotates both sequences with its own head width.
        image_rotations = self._rotations(self.image_head_width, image_positions, state_positions)
        state_rotations = self._rotations(self.state_head_width, state_positions, image_positions)
        layers, logits = [], []
        for image_block, state_block in zip(self.image_blocks, self.state_blocks, strict=True):
            new_image, _ = image_block(image, state, *image_rotations, x_mask=image_mask)
            state, logit = state_block(
                state, image, *state_rotations, context_mask=image_mask, with_mean_logit=with_state_logit
            )
            image = new_image
            layers.append(image)
            logits.append(logit)
        layers[-1] = self.image_norm(image)
        state_logit = torch.stack(logits).mean(0) if with_state_logit else None
        return DecoderOutput(tuple(layers), self.state_norm(state), state_logit)

    def _rotations(self, head_width: int, *positions: Tensor) -> list[Rotation2D]:
        return [rotation_2d(p, head_width, self.rope_base) for p in positions]
