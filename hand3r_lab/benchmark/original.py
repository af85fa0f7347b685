"""What the published scene stream computes for one frame, in the way it does: yardstick of ``hand3r-lab benchmark``.

The original cannot be shipped, so its arithmetic is repeated here on the weights of our own ``SceneStream``: softmax
over materialised attention logits, every dense head on every frame, channels-first convolutions with the 1x1
convolution after the interpolation, and a full cross-attention also where there is only one key. Tests hold it to the
same results as ``SceneStream`` and to the published network's count of operations.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.scene import activations
from hand3r_ros.network.scene.blocks import (
    CrossAttention,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    ModulatedBlock,
    SelfAttention,
)
from hand3r_ros.network.scene.dpt import DPTHead, Fusion
from hand3r_ros.network.scene.heads import DenseHeads
from hand3r_ros.network.scene.rope import Rotation2D, rotate, rotation_2d
from hand3r_ros.network.scene.stream import POSE_TOKEN_POSITION, SceneStream
from hand3r_ros.network.types import SceneState


class Clock(Protocol):
    """What measures the stages: ``measuring.Stopwatch`` or nothing."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Counts the time inside the ``with`` block."""


class NoClock:
    """Measures nothing."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Does nothing."""
        return nullcontext()


class OriginalOutput(NamedTuple):
    """All that the published entry point returns for one frame."""

    tokens: Tensor  # [B, S, D] new state
    memory: Tensor  # [B, M, 2D]
    camera_pose: Tensor  # [B, 7]
    points_self: Tensor  # [B, H, W, 3]
    points_world: Tensor
    rgb: Tensor


def _channels_first(heads: DenseHeads) -> DenseHeads:
    """The same heads with every weight laid out as published; changes ``heads``.

    Weights are replaced rather than converted by ``Module.to``, which tensors without data (for counting operations)
    do not allow.
    """
    for module in heads.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(parameter.detach().contiguous(), requires_grad=False))
    return heads


class OriginalStream:
    """One frame through the weights of a DPT ``SceneStream``."""

    def __init__(self, stream: SceneStream) -> None:
        if stream.config.head != 'dpt' or not stream.config.world_head or not stream.config.rgb_head:
            raise ValueError('the yardstick is the published DPT network, which has a world and a colour head')
        self.stream = stream
        # The published network keeps its convolutions channels-first.
        self.heads = _channels_first(copy.deepcopy(stream.heads))

    @torch.inference_mode()
    def step(self, state: SceneState, image: Tensor, clock: Clock | None = None) -> OriginalOutput:
        """Frame [B, 3, H, W] against ``state``, which must have seen a frame."""
        clock = clock or NoClock()
        stream, size = self.stream, (image.shape[2], image.shape[3])
        with clock.stage('encoder'):
            features, positions = self._encode(image)
            summary = features.mean(dim=1, keepdim=True)
        with clock.stage('memory read'):
            query = torch.cat((stream.memory.key_projection(summary), stream.memory.unknown_pose), dim=-1)
            for block in stream.memory.read_blocks:
                query = decoder_block(block, query, state.memory)
            pose_token = query[..., -stream.memory.width :]
        with clock.stage('decoder'):
            layers, tokens = self._decode(state, pose_token, features, positions)
        pose_token = layers[-1][:, :1]
        with clock.stage('memory write'):
            memory, entry = state.memory, torch.cat((stream.memory.key_projection(summary), pose_token), dim=-1)
            for block in stream.memory.write_blocks:
                memory = decoder_block(block, memory, entry)
        first, second = stream.config.level_layers
        levels = [features, *(layers[index - 1][:, 1:] for index in (first, second, len(layers)))]
        with clock.stage('heads'):
            pose = stream.pose_head(pose_token[:, 0])
            raw = [dpt(self.heads.self_points, levels, size)]
            raw.append(dpt(self.heads.world_points, [*levels[:-1], self._world(levels, pose_token, positions)], size))
            raw.append(dpt(self.heads.rgb, levels, size))
            own, world, rgb = (value.permute(0, 2, 3, 1) for value in raw)
            points = [activations.exponential_vectors(value[..., :3]) for value in (own, world)]
            for value in (own, world):
                activations.confidence(value[..., 3])
        return OriginalOutput(tokens, memory, pose, points[0], points[1], activations.colour(rgb))

    def _encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        encoder = self.stream.image_encoder
        x = encoder.patch_embedding(image)
        rows, columns = x.shape[2:]
        grid = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing='ij')
        positions = torch.stack(grid, dim=-1).reshape(1, -1, 2).to(x.device).expand(len(x), -1, -1)
        x = x.flatten(2).transpose(1, 2)
        rotation = rotation_2d(positions, encoder.head_width, encoder.rope_base)
        for block in encoder.blocks:
            x = encoder_block(block, x, rotation)
        return encoder.norm(x), positions

    def _decode(
        self, state: SceneState, pose_token: Tensor, features: Tensor, positions: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        decoder = self.stream.decoder
        image, tokens = torch.cat((pose_token, decoder.image_embedding(features)), dim=1), state.tokens
        positions = torch.cat((torch.full_like(positions[:, :1], POSE_TOKEN_POSITION), positions), dim=1)
        at_image = [rotation_2d(p, decoder.image_head_width, decoder.rope_base) for p in (positions, state.positions)]
        at_state = [rotation_2d(p, decoder.state_head_width, decoder.rope_base) for p in (state.positions, positions)]
        layers = []
        for image_block, state_block in zip(decoder.image_blocks, decoder.state_blocks, strict=True):
            image, tokens = (
                decoder_block(image_block, image, tokens, *at_image),
                decoder_block(state_block, tokens, image, *at_state),
            )
            layers.append(image)
        layers[-1] = decoder.image_norm(image)
        return layers, decoder.state_norm(tokens)

    def _world(self, levels: Sequence[Tensor], pose_token: Tensor, positions: Tensor) -> Tensor:
        config, x = self.stream.config, levels[-1]
        rotation = rotation_2d(positions, config.decoder_width // config.decoder_heads, config.rope_base)
        for block in self.heads.world_blocks:
            assert isinstance(block, ModulatedBlock)
            x = x + self_attention(block.attention, block.attention_norm(x, pose_token[:, 0]), rotation)
            x = x + feed_forward(block.mlp, block.mlp_norm(x, pose_token[:, 0]))
        return x


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """[B, h, L, C] by materialised logits."""
    logits = (query @ key.transpose(-2, -1)) * query.shape[-1] ** -0.5
    return logits.softmax(dim=-1) @ value


def linear(layer: nn.Module, x: Tensor) -> Tensor:
    """Torch's ordinary linear layer."""
    assert isinstance(layer, nn.Linear)
    return functional.linear(x, layer.weight, layer.bias)


def feed_forward(part: FeedForward, x: Tensor) -> Tensor:
    """Linear, GELU, linear."""
    expand, _, contract = part
    return linear(contract, functional.gelu(linear(expand, x)))


def self_attention(part: SelfAttention, x: Tensor, rotation: Rotation2D | None) -> Tensor:
    """With one rotation each for queries and keys."""
    query, key, value = linear(part.qkv, x).unflatten(-1, (3, part.heads, -1)).permute(2, 0, 3, 1, 4)
    if rotation is not None:
        query, key = rotate(query, rotation), rotate(key, rotation)
    return linear(part.output, attention(query, key, value).transpose(1, 2).flatten(2))


def cross_attention(
    part: CrossAttention, x: Tensor, context: Tensor, at_x: Rotation2D | None, at_context: Rotation2D | None
) -> Tensor:
    """Also over a single key."""
    query, key, value = (
        linear(layer, tokens).unflatten(-1, (part.heads, -1)).transpose(1, 2)
        for layer, tokens in ((part.query, x), (part.key, context), (part.value, context))
    )
    if at_x is not None and at_context is not None:
        query, key = rotate(query, at_x), rotate(key, at_context)
    return linear(part.output, attention(query, key, value).transpose(1, 2).flatten(2))


def encoder_block(block: nn.Module, x: Tensor, rotation: Rotation2D) -> Tensor:
    """Self-attention, feed-forward."""
    assert isinstance(block, EncoderBlock)
    x = x + self_attention(block.attention, block.attention_norm(x), rotation)
    return x + feed_forward(block.mlp, block.mlp_norm(x))


def decoder_block(
    block: nn.Module,
    x: Tensor,
    context: Tensor,
    at_x: Rotation2D | None = None,
    at_context: Rotation2D | None = None,
) -> Tensor:
    """Self-attention, cross-attention, feed-forward."""
    assert isinstance(block, DecoderBlock)
    x = x + self_attention(block.attention, block.attention_norm(x), at_x)
    x = x + cross_attention(block.cross_attention, block.cross_norm(x), block.context_norm(context), at_x, at_context)
    return x + feed_forward(block.mlp, block.mlp_norm(x))


def dpt(head: nn.Module | None, levels: Sequence[Tensor], image_size: tuple[int, int]) -> Tensor:
    """A dense head, channels-first, with the interpolation in front of the 1x1 convolution."""
    assert isinstance(head, DPTHead)
    rows, columns = (side // head.patch_size for side in image_size)
    pyramid = []
    for tokens, resample, project in zip(levels, head.resample, head.project, strict=True):
        x = tokens.transpose(1, 2).reshape(len(tokens), -1, rows, columns).contiguous()
        assert isinstance(resample, nn.Sequential)
        first, *rest = resample
        x = convolution(first, x)
        for layer in rest:
            x = layer(x)
        pyramid.append(project(x))
    x = fuse(head.fusions[3], pyramid[3], None)[..., :rows, :columns]
    for level in (2, 1, 0):
        x = fuse(head.fusions[level], x, pyramid[level])
    x = doubled(head.reduce(x))
    return convolution(head.output, functional.relu(head.refine(x)))


def fuse(fusion: nn.Module, x: Tensor, level: Tensor | None) -> Tensor:
    """Adds a level, refines, doubles the resolution, mixes channels."""
    assert isinstance(fusion, Fusion)
    if fusion.level_refinement is not None and level is not None:
        x = x + fusion.level_refinement(level)
    return convolution(fusion.output, doubled(fusion.refinement(x)))


def convolution(layer: nn.Module, x: Tensor) -> Tensor:
    """A 1x1 convolution as torch's convolution."""
    assert isinstance(layer, nn.Conv2d)
    return functional.conv2d(x, layer.weight, layer.bias)


def doubled(x: Tensor) -> Tensor:
    """Twice the height and width."""
    return functional.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)
