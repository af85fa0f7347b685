"""Time and operations of one hand crop, in float32 and, where the processor has it, in bfloat16."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from hand3r_lab.benchmark.measuring import Seconds, counting_operations, median_seconds
from hand3r_lab.benchmark.random_weights import with_random_weights
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.stream import HandStream, HandStreamOutput
from hand3r_ros.network.precision import store_products_in


@dataclass(frozen=True)
class BfloatDifference:
    """How far bfloat16 is from float32 on the same weights and crop."""

    tokens: float
    """Root mean square of the difference over that of the tokens."""
    joint_angle: float
    """Largest angle in degrees between the rotations of a joint."""
    betas: float
    scale: float
    """Of the crop camera."""


@dataclass(frozen=True)
class HandSpeed:
    """Result of ``measure_hand``."""

    float32: Seconds
    bfloat16: Seconds | None
    difference: BfloatDifference | None
    gflop: float


def processor_has_bfloat16() -> bool:
    """Whether bfloat16 products are computed by instructions of their own, not emulated."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def measure_hand(config: HandConfig, repetitions: int, try_bfloat16: bool | None = None) -> HandSpeed:
    """Runs random weights of ``config`` on one crop on the CPU.

    ``try_bfloat16`` None means: where the processor has it. Elsewhere it is emulated and slower than float32.
    """
    stream = with_random_weights(lambda: HandStream(config))
    make_rotations_valid(stream)
    crop = torch.randn(1, 3, config.crop_size, config.crop_size)
    with torch.inference_mode():
        expected = stream(crop)
        float32 = median_seconds(lambda: stream(crop), repetitions)
        bfloat16 = difference = None
        if processor_has_bfloat16() if try_bfloat16 is None else try_bfloat16:
            holder = nn.Module()
            holder.hand = stream
            store_products_in(holder, torch.bfloat16)
            with torch.autocast('cpu', torch.bfloat16):
                difference = bfloat_difference(stream(crop), expected)
                bfloat16 = median_seconds(lambda: stream(crop), repetitions)
    return HandSpeed(float32, bfloat16, difference, hand_gflop(config))


@torch.no_grad()
def make_rotations_valid(stream: HandStream) -> None:
    """Random mean parameters would give degenerate rotations; the mean hand does not."""
    head = stream.mano_head
    head.initial_pose.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0] * 16]))
    head.initial_betas.zero_()
    head.initial_camera.copy_(torch.tensor([head.config.initial_camera]))


def bfloat_difference(found: HandStreamOutput, expected: HandStreamOutput) -> BfloatDifference:
    """Differences between two outputs for the same crops."""
    tokens = (found.tokens.float() - expected.tokens).square().mean().sqrt() / expected.tokens.square().mean().sqrt()
    relative = found.rotations.float().transpose(-1, -2) @ expected.rotations
    cosine = ((relative.diagonal(dim1=-2, dim2=-1).sum(-1) - 1.0) / 2.0).clamp(-1.0, 1.0)
    return BfloatDifference(
        tokens.item(),
        cosine.acos().rad2deg().max().item(),
        (found.betas.float() - expected.betas).abs().max().item(),
        (found.crop_camera.float() - expected.crop_camera)[:, 0].abs().max().item(),
    )


def hand_gflop(config: HandConfig) -> float:
    """Floating-point operations of one crop in units of 1e9, counted on tensors without memory."""
    with counting_operations(lambda: HandStream(config)) as (stream, counter), counter:
        stream(torch.empty(1, 3, config.crop_size, config.crop_size))
    return counter.get_total_flops() * 1e-9
