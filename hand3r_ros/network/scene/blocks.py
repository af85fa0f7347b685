"""Transformer blocks of the scene stream: encoder block, decoder block and the pose-modulated block.

All are pre-norm with plain residuals, exact GELU and LayerNorm eps 1e-6. Masks are True where a key may be attended
to, of shape [B, 1, 1, keys]; None means all keys.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.linear import Linear
from hand3r_ros.network.scene.rope import Rotation2D, rotate

NORM_EPSILON = 1e-6


def layer_norm(width: int) -> nn.LayerNorm:
    """LayerNorm with the epsilon used throughout the scene stream."""
    return nn.LayerNorm(width, eps=NORM_EPSILON)


class FeedForward(nn.Sequential):
    """Linear, GELU, linear."""

    def __init__(self, width: int, hidden: int, output: int | None = None) -> None:
        super().__init__(Linear(width, hidden), nn.GELU(), Linear(hidden, width if output is None else output))


class SelfAttention(nn.Module):
    """Multi-head self-attention with an optional RoPE rotation of queries and keys."""

    def __init__(self, width: int, heads: int, rope_half: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.rope_half = rope_half
        self.qkv = Linear(width, 3 * width)
        self.output = Linear(width, width)

    def forward(self, x: Tensor, rotation: Rotation2D | None = None, key_mask: Tensor | None = None) -> Tensor:
        """[B, L, C] to [B, L, C]."""
        packed = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [3, B, h, L, C/h]
        query, key, value = packed
        if rotation is not None:
            query, key = rotate(packed[:2], rotation, self.rope_half)
        x = functional.scaled_dot_product_attention(query, key, value, attn_mask=key_mask)
        return self.output(x.transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence to another."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.output = Linear(width, width)

    def forward(
        self,
        x: Tensor,  # [B, L, C]
        context: Tensor,  # [B, K, C]
        x_rotation: Rotation2D | None = None,
        context_rotation: Rotation2D | None = None,
        context_mask: Tensor | None = None,
        with_mean_logit: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attended values [B, L, C] and, if asked for, each query's logit averaged over keys and heads [B, L]."""
        if context.shape[1] == 1 and context_mask is None and not with_mean_logit and not torch.is_grad_enabled():
            # All weight lies on the only key, whatever the queries are; so it is when the pose memory is written.
            return self.output(self.value(context)).expand_as(x), None
        query, key, value = (
            project(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, tokens in ((self.query, x), (self.key, context), (self.value, context))
        )
        if x_rotation is not None and context_rotation is not None:
            query, key = rotate(query, x_rotation), rotate(key, context_rotation)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=context_mask)
        mean_logit = _mean_logit(query, key, context_mask) if with_mean_logit else None
        return self.output(attended.transpose(1, 2).flatten(2)), mean_logit


def _mean_logit(query: Tensor, key: Tensor, key_mask: Tensor | None) -> Tensor:
    """[B, L] mean over keys and heads of the scaled logits, without forming them: the mean over keys is linear."""
    if key_mask is None:
        mean_key = key.mean(dim=2, keepdim=True)
    else:
        weight = key_mask.transpose(-1, -2).to(key.dtype)  # [B, 1, K, 1]
        mean_key = (key * weight).sum(dim=2, keepdim=True) / weight.sum(dim=2, keepdim=True)
    return (query * mean_key).sum(-1).mean(1) * query.shape[-1] ** -0.5


class EncoderBlock(nn.Module):
    """Self-attention, feed-forward."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, rope_half: bool = False) -> None:
        super().__init__()
        self.attention_norm = layer_norm(width)
        self.attention = SelfAttention(width, heads, rope_half)
        self.mlp_norm = layer_norm(width)
        self.mlp = FeedForward(width, mlp_ratio * width)

    def forward(self, x: Tensor, rotation: Rotation2D) -> Tensor:
        """[B, L, C] to [B, L, C]."""
        x = x + self.attention(self.attention_norm(x), rotation)
        return x + self.mlp(self.mlp_norm(x))


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention to a context, feed-forward."""

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.attention_norm = layer_norm(width)
        self.attention = SelfAttention(width, heads)
        self.cross_norm = layer_norm(width)
        self.context_norm = layer_norm(width)
        self.cross_attention = CrossAttention(width, heads)
        self.mlp_norm = layer_norm(width)
        self.mlp = FeedForward(width, mlp_ratio * width)

    def forward(
        self,
        x: Tensor,  # [B, L, C]
        context: Tensor,  # [B, K, C]
        x_rotation: Rotation2D | None = None,
        context_rotation: Rotation2D | None = None,
        x_mask: Tensor | None = None,
        context_mask: Tensor | None = None,
        with_mean_logit: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """New x [B, L, C] and, if asked for, the mean cross-attention logit of each token [B, L]."""
        x = x + self.attention(self.attention_norm(x), x_rotation, x_mask)
        attended, mean_logit = self.cross_attention(
            self.cross_norm(x), self.context_norm(context), x_rotation, context_rotation, context_mask, with_mean_logit
        )
        x = x + attended
        return x + self.mlp(self.mlp_norm(x)), mean_logit


class ModulatedNorm(nn.Module):
    """LayerNorm whose result is shifted and scaled by a conditioning token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = layer_norm(width)
        self.modulation = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """[B, L, C] under ``condition`` [B, C] to [B, L, C]."""
        shift, scale = self.modulation(functional.silu(condition))[:, None].chunk(2, dim=-1)
        return self.norm(x) * (1.0 + scale) + shift


class ModulatedBlock(nn.Module):
    """Encoder block whose norms are modulated by the pose token."""

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.attention_norm = ModulatedNorm(width)
        self.attention = SelfAttention(width, heads)
        self.mlp_norm = ModulatedNorm(width)
        self.mlp = FeedForward(width, mlp_ratio * width)

    def forward(self, x: Tensor, condition: Tensor, rotation: Rotation2D) -> Tensor:
        """[B, L, C] under ``condition`` [B, C] to [B, L, C]."""
        x = x + self.attention(self.attention_norm(x, condition), rotation)
        return x + self.mlp(self.mlp_norm(x, condition))


def initialise_linear_layers(module: nn.Module) -> None:
    """Xavier weights and zero biases for every linear layer; the pose modulation starts as no modulation."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, ModulatedNorm):
            nn.init.zeros_(part.modulation.weight)


def key_mask_from(valid: Tensor | None) -> Tensor | None:
    """[B, K] bool to the [B, 1, 1, K] mask of the attention functions; None stays None."""
    return None if valid is None else valid.to(torch.bool)[:, None, None, :]
