"""The transformer decoder that reads hand pose, shape and crop camera from the hand tokens (HaMeR, paper eq. 6).

One query token looks at the hand tokens; its three linear read-outs are added to learned mean parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.device_constants import constant
from hand3r_ros.network.hand.attention import attend
from hand3r_ros.network.hand.config import CAMERA_NUMBERS, POSE_NUMBERS, SHAPE_NUMBERS, HandConfig
from hand3r_ros.network.hand.keypoint_head import DEPTH_UNIT
from hand3r_ros.network.hand.vit import FeedForward, SelfAttention
from hand3r_ros.network.rotations import matrix_from_rotation_6d


class ManoParameters(NamedTuple):
    """What the head predicts about the right-looking hand."""

    rotations: Tensor  # [N, 16, 3, 3] global orientation first
    betas: Tensor  # [N, 10]
    crop_camera: Tensor  # [N, 3] s, tx, ty


class QueryAttention(nn.Module):
    """Attention from queries [N, Q, D] to a context [N, L, C]; the projections in have no bias."""

    def __init__(self, width: int, context_width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_dim
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(context_width, 2 * inner, bias=False)
        self.project = nn.Linear(inner, width)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """[N, Q, D] to [N, Q, D]."""
        query = self.query(queries).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [N, heads, Q, d]
        packed = self.key_value(context).unflatten(-1, (2, self.heads, -1))
        key, value = packed.transpose(1, 3).unbind(2)  # each [N, heads, L, d]
        attended = attend(query, key, value)
        return self.project(attended.transpose(1, 2).flatten(2))


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention and feed-forward, each pre-norm and residual; the context is not normalised."""

    def __init__(self, config: HandConfig) -> None:
        super().__init__()
        width = config.head_width
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = SelfAttention(width, config.head_heads, config.head_dim, bias=False)
        self.cross_norm = nn.LayerNorm(width)
        self.cross_attention = QueryAttention(width, config.width, config.head_heads, config.head_dim)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, config.head_mlp_width)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """Queries [N, Q, D], context [N, L, C] to queries [N, Q, D]."""
        queries = queries + self.self_attention(self.self_norm(queries))
        queries = queries + self.cross_attention(self.cross_norm(queries), context)
        return queries + self.feed_forward(self.feed_forward_norm(queries))


class ManoHead(nn.Module):
    """Tokens [N, L, C] to MANO rotations, betas and the crop camera."""

    initial_pose: Tensor
    initial_betas: Tensor
    initial_camera: Tensor

    def __init__(self, config: HandConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.query_numbers, config.head_width)
        self.position = nn.Parameter(torch.zeros(1, 1, config.head_width))
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.head_depth))
        self.pose = nn.Linear(config.head_width, POSE_NUMBERS)
        self.shape = nn.Linear(config.head_width, SHAPE_NUMBERS)
        self.camera = nn.Linear(config.head_width, CAMERA_NUMBERS)
        self.register_buffer('initial_pose', torch.tensor([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0] * 16]))
        self.register_buffer('initial_betas', torch.zeros(1, SHAPE_NUMBERS))
        self.register_buffer('initial_camera', torch.tensor([config.initial_camera]))
        nn.init.trunc_normal_(self.position, std=0.02)
        # An untrained head starts close to the mean hand, where 6D vectors are far from degenerate.
        for readout in (self.pose, self.shape, self.camera):
            nn.init.xavier_uniform_(readout.weight, gain=0.01)
            nn.init.zeros_(readout.bias)

    def query_token(self, context: Tensor, numbers: Tensor) -> Tensor:
        """The query after the decoder, [N, 1, D], from tokens [N, L, C] and query numbers [N, 1, Q]."""
        queries = self.embed(numbers) + self.position
        for layer in self.layers:
            queries = layer(queries, context)
        return queries

    def forward(self, context: Tensor, keypoints: Tensor | None = None) -> ManoParameters:
        """Tokens [N, L, C] to parameters of the right-looking hand; float32 or better also under autocast.

        ``keypoints`` [N, 21, 3] are those of ``KeypointHead``, for heads that start from them.
        """
        count = context.shape[0]
        pose = self.initial_pose.expand(count, -1)
        betas = self.initial_betas.expand(count, -1)
        camera = self.initial_camera.expand(count, -1)
        for _ in range(self.config.iterations):
            if self.config.query == 'zero':
                numbers = context.new_zeros(count, 1, 1)
            elif self.config.query == 'keypoints':
                numbers = _query_numbers(keypoints)
            else:
                numbers = torch.cat([pose, betas, camera], dim=-1)[:, None]
            token = self.query_token(context, numbers)[:, 0]
            # Half precision would cost about half a degree per joint here and save nothing.
            with torch.autocast(context.device.type, enabled=False):
                token = token.to(self.pose.weight.dtype)
                pose, betas, camera = pose + self.pose(token), betas + self.shape(token), camera + self.camera(token)
        return ManoParameters(matrix_from_rotation_6d(pose.unflatten(-1, (16, 6))), betas, camera)


def _query_numbers(keypoints: Tensor | None) -> Tensor:
    """[N, 1, 63] keypoints in numbers around one: crop halves sideways, ``DEPTH_UNIT`` along the view."""
    if keypoints is None:
        raise ValueError("a MANO head with query 'keypoints' needs the keypoints")
    return (keypoints / constant([0.5, 0.5, DEPTH_UNIT], keypoints)).flatten(1)[:, None]
