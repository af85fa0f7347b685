"""The scene stream: images update a recurrent state; geometry and camera pose come out."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.decoder import DecoderOutput, DualDecoder
from hand3r_ros.network.scene.encoder import SceneEncoder, SceneTokens
from hand3r_ros.network.scene.heads import DenseHeads, PoseHead
from hand3r_ros.network.scene.intrinsics_conditioning import IntrinsicsConditioning
from hand3r_ros.network.scene.memory import PoseMemory
from hand3r_ros.network.scene.ray_maps import RayMapEncoder
from hand3r_ros.network.scene.state_update import gated_tokens, is_gated, updated_state
from hand3r_ros.network.types import Frame, ScenePrediction, SceneState

POSE_TOKEN_POSITION = -1
"""Row and column of the pose token: just outside the image."""


class PaddedPrompts(NamedTuple):
    """Extra tokens that join the image tokens in the decoder, padded to the same number per image."""

    tokens: Tensor  # [B, P, D]
    positions: Tensor  # [B, P, 2] (row, column) in patches, may be fractional
    valid: Tensor | None = None  # [B, P] bool, False for padding, which changes nothing; None: no padding


class SceneStep(NamedTuple):
    """Result of one step of the scene stream."""

    state: SceneState
    prediction: ScenePrediction
    fused_prompts: Tensor  # [B, P, D] decoded prompt tokens


class SceneStream(nn.Module):
    """CUT3R-compatible encoder, dual decoder with state and pose memory, and heads."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = SceneEncoder(
            3,
            config.patch_size,
            config.encoder_width,
            config.encoder_depth,
            config.encoder_heads,
            config.mlp_ratio,
            config.rope_base,
            config.rope_half,
            config.stem,
        )
        self.known_camera = IntrinsicsConditioning(config) if config.takes_camera else None  # its name in weights files
        self.ray_maps = RayMapEncoder(config) if config.ray_map_depth else None
        self.state_tokens = nn.Parameter(0.02 * torch.randn(config.state_size, config.encoder_width))
        self.state_embedding = nn.Linear(config.encoder_width, config.decoder_width)
        self.first_pose_token = nn.Parameter(0.02 * torch.randn(1, 1, config.decoder_width))
        self.memory = PoseMemory(config)
        self.decoder = DualDecoder(config)
        self.pose_head = PoseHead(config)
        self.heads = DenseHeads(config)

    def init_state(self, batch: int = 1) -> SceneState:
        """The learned initial state for ``batch`` independent sequences; it does not depend on any image."""
        # Also under autocast the state keeps the precision of the weights: its rounding would add up over frames.
        tokens = self.state_embedding(self.state_tokens).to(self.state_tokens.dtype)
        tokens = tokens[None].expand(batch, -1, -1)
        positions = state_positions(self.config, tokens.device).expand(batch, -1, -1)
        memory = self.memory.initial_slots.expand(batch, -1, -1)
        fresh = torch.ones(batch, dtype=torch.bool, device=tokens.device)
        return SceneState(tokens, positions, memory, tokens, memory, fresh=fresh)

    def encode(self, frame: Frame) -> SceneTokens:
        """Tokens F_s (eq. 1) of an image [B, 3, H, W] in [-1, 1] and, if the frame has one, its ray map.

        Raises:
            ValueError: wrong shapes, or a ray map for a network without ray-map encoder.

        """
        image = None
        if frame.has_image is None or bool(frame.has_image.any()):
            image = self.image_encoder(frame.image)
        if image is not None and frame.ray_map is None and frame.has_image is None and not frame.mark_missing:
            return image
        if self.ray_maps is None:
            raise ValueError('Frame needs ray maps or stand-ins for missing images, which this network does not have')
        return self.ray_maps(frame, image)

    def step(
        self,
        state: SceneState,
        frame: Frame,
        encoded: SceneTokens | None = None,
        prompts: PaddedPrompts | None = None,
        dense: frozenset[str] = frozenset(),
    ) -> SceneStep:
        """One frame: decode it against the state, read the heads, update the state.

        ``encoded`` are the tokens of ``frame`` where the caller has them already; ``dense`` names the optional
        maps to compute ('world', 'rgb').
        """
        if encoded is None:
            encoded = self.encode(frame)
        if len(encoded.tokens) != len(state.tokens):
            raise ValueError(f'the state is for {len(state.tokens)} sequences, the frame for {len(encoded.tokens)}')
        summary = encoded.tokens.mean(dim=1, keepdim=True)
        gated = is_gated(frame, self.config)
        guessed = None if self.known_camera is None else self.known_camera.guess(summary, encoded.image_size)
        intrinsics = frame.intrinsics if guessed is not None and frame.intrinsics is not None else guessed
        decoded = self._decode(state, frame, encoded, summary, prompts, gated)
        count = encoded.tokens.shape[1]
        last = decoded.layers[-1]
        pose_token, image_tokens, fused_prompts = last[:, :1], last[:, 1 : 1 + count], last[:, 1 + count :]
        middle = [decoded.layers[layer - 1][:, 1 : 1 + count] for layer in self.config.level_layers]
        maps = self.heads(
            [encoded.tokens, *middle, image_tokens],
            pose_token[:, 0],
            encoded.positions,
            encoded.image_size,
            dense,
            intrinsics,
            encoded.details,
        )
        prediction = ScenePrediction(
            points_self=maps.points_self,
            confidence_self=maps.confidence_self,
            camera_pose=self.pose_head(pose_token[:, 0]),
            image_tokens=encoded.tokens,
            decoded_tokens=image_tokens,
            points_world=maps.points_world,
            confidence_world=maps.confidence_world,
            rgb=maps.rgb,
            pose_token=pose_token[:, 0],
            guessed_intrinsics=guessed,
            intrinsics=intrinsics,
        )
        memory = self.memory.write(state.memory, summary, pose_token)
        tokens = (
            decoded.state if decoded.state_logit is None else gated_tokens(state, decoded.state, decoded.state_logit)
        )
        return SceneStep(updated_state(state, frame, tokens, memory), prediction, fused_prompts)

    def _decode(
        self,
        state: SceneState,
        frame: Frame,
        encoded: SceneTokens,
        summary: Tensor,
        prompts: PaddedPrompts | None,
        with_state_logit: bool,
    ) -> DecoderOutput:
        tokens = [self._pose_token(state, summary), self.decoder.image_embedding(encoded.tokens)]
        if self.known_camera is not None:
            told = self.known_camera.encode(frame.intrinsics, encoded.image_size, len(summary))
            tokens = [token + told for token in tokens]
        outside = torch.full_like(encoded.positions[:, :1], POSE_TOKEN_POSITION)
        positions = [outside, encoded.positions]
        valid = None
        if prompts is not None:
            tokens.append(prompts.tokens)
            positions.append(prompts.positions)
            if prompts.valid is not None:
                always = prompts.valid.new_ones(len(prompts.valid), 1 + encoded.tokens.shape[1])
                valid = torch.cat((always, prompts.valid), dim=1)
        return self.decoder(
            torch.cat(tokens, 1),
            torch.cat(positions, 1),
            state.tokens,
            state.positions,
            valid,
            with_state_logit=with_state_logit,
        )

    def _pose_token(self, state: SceneState, summary: Tensor) -> Tensor:
        """[B, 1, D] learned for the very first frame, recalled from the memory afterwards."""
        if not state.started:
            return self.first_pose_token.expand(len(summary), -1, -1)
        recalled = self.memory.read(summary, state.memory)
        if self.config.pose_token_after_reset == 'learned' and state.fresh is not None:
            return torch.where(state.fresh[:, None, None], self.first_pose_token, recalled)
        return recalled


def state_positions(config: SceneConfig, device: torch.device | None = None) -> Tensor:
    """[1, S, 2] RoPE positions of the state tokens: a grid of even width, or the diagonal."""
    index = torch.arange(config.state_size, device=device)
    if config.state_layout == '1d':
        return torch.stack((index, index), dim=-1)[None]
    columns = math.isqrt(config.state_size)
    columns += columns % 2
    return torch.stack((index // columns, index % columns), dim=-1)[None]
