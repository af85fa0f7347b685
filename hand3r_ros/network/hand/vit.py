"""The vision transformer that turns a hand crop into tokens (HaMeR's ViTPose backbone, paper eq. 2).

Pre-norm blocks with a fused query-key-value projection, a learned position per token and one position shared by all
of them (what remains of ViTPose's class token). Stochastic depth is left out: the method keeps this encoder frozen,
and the small preset is too shallow to need it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hand3r_ros.network.convolutional_stem import ConvolutionalStem
from hand3r_ros.network.hand.attention import attend
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.linear import Linear

NORM_EPSILON = 1e-6
"""Of every LayerNorm of the backbone (the MANO head uses torch's default)."""


class SelfAttention(nn.Module):
    """Multi-head attention of tokens [N, L, C] among themselves."""

    def __init__(self, width: int, heads: int, head_dim: int, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = Linear(width, 3 * heads * head_dim, bias=bias)
        self.project = Linear(heads * head_dim, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, L, C] to [N, L, C]."""
        packed = self.query_key_value(tokens).unflatten(-1, (3, self.heads, -1))
        query, key, value = packed.transpose(1, 3).unbind(2)  # each [N, heads, L, d]
        attended = attend(query, key, value)
        return self.project(attended.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, width: int, hidden_width: int) -> None:
        super().__init__()
        self.expand = Linear(width, hidden_width)
        self.activation = nn.GELU()
        self.contract = Linear(hidden_width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., C] to [..., C]."""
        return self.contract(self.activation(self.expand(tokens)))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: HandConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        self.attention = SelfAttention(config.width, config.heads, config.width // config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        self.feed_forward = FeedForward(config.width, config.mlp_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, L, C] to [N, L, C]."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.feed_forward(self.feed_forward_norm(tokens))


class VisionTransformer(nn.Module):
    """Crops [N, 3, S, S] to tokens [N, L, C], row-major over ``HandConfig.grid``."""

    def __init__(self, config: HandConfig) -> None:
        super().__init__()
        self.config = config
        self.patches: nn.Module
        if config.stem is None:
            self.patches = nn.Conv2d(
                3, config.width, config.patch_size, stride=config.patch_size, padding=config.patch_padding
            )
        else:
            self.patches = ConvolutionalStem(config.stem, 3, config.width)
        # Entry 0 is added to every token, entry 1 + i to token i.
        self.position = nn.Parameter(torch.zeros(1, 1 + config.token_count, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, crops: Tensor) -> Tensor:
        """Normalised RGB crops [N, 3, S, S] to normalised tokens [N, L, C]; N may be 0."""
        size, used = self.config.crop_size, self.config.used_width
        if crops.ndim != 4 or crops.shape[1:] != (3, size, size):
            raise ValueError(f'crops must have shape (N, 3, {size}, {size}), got {tuple(crops.shape)}')
        left = (size - used) // 2
        tokens = self.patches(crops[..., left : left + used]).flatten(2).transpose(1, 2)  # [N, L, C]
        tokens = tokens + self.position[:, 1:] + self.position[:, :1]
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)
