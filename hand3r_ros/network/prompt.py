"""Scene-aware hand prompts: what joins the hand stream to the scene stream (paper eqs. 3, 4 and right half of 6).

A hand's box picks the scene tokens it covers, their weighted mean f_s is joined with the pooled hand tokens f_h, and
an MLP makes one token p_h of the decoder's width. After the dual decoder the same token, now fused with the scene,
gives the metric wrist position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.device_constants import constant
from hand3r_ros.network.crop_translation import CROP_NUMBERS
from hand3r_ros.network.types import HandBoxes

BOX_NUMBERS = 4


@dataclass(frozen=True)
class PromptConfig:
    """Widths and open choices of the prompt; the defaults fit the full-size streams."""

    hand_width: int = 1280
    scene_width: int = 1024
    decoder_width: int = 768
    patch_size: int = 16
    """Of the scene stream's image tokens."""
    hidden_width: int = 8192
    """Of the prompt MLP. The paper gives none; Human3R's MLP between streams of the same widths has this one."""
    hand_pooling: Literal['mean', 'attention'] = 'mean'
    """How the token grid f_h becomes one vector, on which the paper is silent. 'mean' mirrors the average pooling of
    the scene tokens and adds nothing to learn; 'attention' learns which tokens count and starts as the mean."""
    box_code: bool = False
    """Also tell the prompt where the box lies and how large it is. The decoder's rotary positions are relative and
    rounded to patches, and the crop hides the apparent size, the strongest cue to depth. The full-size network
    leaves it out, as the paper's eq. 4 does; a small one trained from scratch has no large-scale pre-training from
    which to get these cues and needs it."""
    translation: Literal['metric', 'correction'] = 'metric'
    """What the translation head says: the wrist's position, as in the paper, or a correction of where the crop camera
    puts the hand (``crop_translation``), on which the prompt is then conditioned. The second starts near the truth."""
    translation_hidden_width: int = 3072
    """Of the translation MLP; four times the decoder width, as in Human3R."""
    initial_distance: float = 0.5
    """Metres in front of the camera where an untrained translation head puts every wrist: an arm's length, so that
    training starts inside the range of real hands."""

    def __post_init__(self) -> None:
        if self.hand_pooling not in ('mean', 'attention'):
            raise ValueError(f"hand_pooling must be 'mean' or 'attention', got {self.hand_pooling!r}")
        if self.translation not in ('metric', 'correction'):
            raise ValueError(f"translation must be 'metric' or 'correction', got {self.translation!r}")
        if self.initial_distance <= 0.0:
            raise ValueError(f'initial_distance must be positive metres, got {self.initial_distance}')


class Prompts(NamedTuple):
    """Prompt tokens and where they stand among the image tokens."""

    tokens: Tensor  # [N, D] p_h
    positions: Tensor  # [N, 2] int64 row, column of the patch that holds the box centre


def region_weights(boxes: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """How much each patch counts for each box: the share of the box's area that lies on it.

    Args:
        boxes: [N, 4] x1, y1, x2, y2 in pixels of the image, pixel centres at integers.
        grid: rows and columns of the patches.
        patch_size: side of a patch in pixels.

    Returns:
        [N, rows, columns], each hand's weights sum to 1. Along an axis where the box has no extent inside the image
        (outside of it, or of zero size) the nearest patch counts alone, so no hand is ever without context.

    """
    boxes = torch.nan_to_num(boxes.float())
    low = torch.minimum(boxes[:, :2], boxes[:, 2:])
    high = torch.maximum(boxes[:, :2], boxes[:, 2:])
    columns = _axis_weights(low[:, 0], high[:, 0], grid[1], patch_size)  # [N, columns]
    rows = _axis_weights(low[:, 1], high[:, 1], grid[0], patch_size)  # [N, rows]
    return rows[:, :, None] * columns[:, None, :]


def _axis_weights(low: Tensor, high: Tensor, count: int, patch_size: int) -> Tensor:
    """[N, count] normalised overlaps of the intervals low..high with the patches along one axis."""
    starts = torch.arange(count, device=low.device, dtype=low.dtype) * patch_size - 0.5
    overlap = torch.minimum(high[:, None], starts + patch_size) - torch.maximum(low[:, None], starts)
    overlap = overlap.clamp(min=0.0)
    total = overlap.sum(-1, keepdim=True)
    middle = _patch_index((low + high) / 2.0, count, patch_size)
    nearest = (middle[:, None] == torch.arange(count, device=low.device)).to(low.dtype)
    # Less than a thousandth of a pixel is rounding of a box that touches the border from outside.
    empty = total < 1e-3
    return torch.where(empty, nearest, overlap / torch.where(empty, torch.ones_like(total), total))


def _patch_index(coordinate: Tensor, count: int, patch_size: int) -> Tensor:
    """Index of the patch that holds a pixel coordinate, clamped into the image; int64."""
    return ((coordinate + 0.5) / patch_size).floor().clamp(0, count - 1).long()


def pool_regions(image_tokens: Tensor, weights: Tensor, batch_index: Tensor) -> Tensor:
    """Scene context f_s [N, E] (paper eq. 3) from tokens [B, L, E] and weights [N, rows, columns]."""
    own_tokens = image_tokens[batch_index]  # [N, L, E]
    weights = weights.flatten(1)[:, None].to(image_tokens.dtype)  # [N, 1, L]
    return torch.bmm(weights, own_tokens)[:, 0]


def patch_positions(boxes: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """[N, 2] int64 row and column of the patch that holds each box centre, clamped into the image."""
    centre = torch.nan_to_num((boxes[:, :2] + boxes[:, 2:]).float() / 2.0)
    column = _patch_index(centre[:, 0], grid[1], patch_size)
    row = _patch_index(centre[:, 1], grid[0], patch_size)
    return torch.stack([row, column], dim=-1)


def box_code(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    """[N, 4] centre and logarithmic size of boxes, relative to the image of ``image_size`` = (height, width).

    The centre is measured from the image centre in half long sides, the same unit along both axes, because viewing
    angles do not depend on the aspect of the image. Sizes enter as natural logarithms of box side over long side:
    apparent size is inversely proportional to distance, so a logarithm turns the cue into a sum.
    """
    height, width = image_size
    boxes = torch.nan_to_num(boxes.float())
    image_centre = constant([(width - 1) / 2.0, (height - 1) / 2.0], boxes)
    long_side = float(max(height, width))
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2.0 - image_centre) / (long_side / 2.0)
    size = (boxes[:, 2:] - boxes[:, :2]).abs().clamp(min=1.0) / long_side
    return torch.cat([centre, size.log()], dim=-1)


class HandPooling(nn.Module):
    """Hand tokens f_h [N, L, C] to one vector [N, C]."""

    def __init__(self, config: PromptConfig) -> None:
        super().__init__()
        self.score: nn.Linear | None = None
        if config.hand_pooling == 'attention':
            self.score = nn.Linear(config.hand_width, 1, bias=False)
            nn.init.zeros_(self.score.weight)

    def forward(self, hand_tokens: Tensor) -> Tensor:
        """[N, L, C] to [N, C]."""
        if self.score is None:
            return hand_tokens.mean(dim=1)
        return (self.score(hand_tokens).softmax(dim=1) * hand_tokens).sum(dim=1)


class PromptEncoder(nn.Module):
    """p_h = MLP([pool(f_h), f_s]) (paper eq. 4), one token per hand."""

    def __init__(self, config: PromptConfig) -> None:
        super().__init__()
        self.config = config
        self.pooling = HandPooling(config)
        width = config.hand_width + config.scene_width + (BOX_NUMBERS if config.box_code else 0)
        width += CROP_NUMBERS if config.translation == 'correction' else 0
        self.mlp = nn.Sequential(
            nn.Linear(width, config.hidden_width), nn.GELU(), nn.Linear(config.hidden_width, config.decoder_width)
        )

    def forward(
        self,
        hand_tokens: Tensor,
        image_tokens: Tensor,
        hands: HandBoxes,
        image_size: tuple[int, int],
        crop_numbers: Tensor | None = None,
    ) -> Prompts:
        """Prompts of N hands; N may be 0.

        Args:
            hand_tokens: [N, L', C] f_h.
            image_tokens: [B, L, E] F_s, row-major over the patches of the image, without pose or other extra tokens.
            hands: boxes in pixels of the image, and the image each belongs to.
            image_size: height and width of the image in pixels, multiples of the patch size.
            crop_numbers: [N, 3] from ``crop_translation.crop_numbers``, for heads that correct the apparent place.

        Raises:
            ValueError: ``image_tokens`` are not the patches of an image of this size, or the numbers are missing.

        """
        height, width = image_size
        patch = self.config.patch_size
        grid = (height // patch, width // patch)
        if image_tokens.shape[1] != grid[0] * grid[1]:
            raise ValueError(
                f'image_tokens must hold one token per {patch} pixel patch of a {width}x{height} image '
                f'({grid[0] * grid[1]}), got {image_tokens.shape[1]}'
            )
        context = pool_regions(image_tokens, region_weights(hands.boxes, grid, patch), hands.batch_index)
        parts = [self.pooling(hand_tokens), context.to(hand_tokens.dtype)]
        if self.config.box_code:
            parts.append(box_code(hands.boxes, image_size).to(hand_tokens.dtype))
        if self.config.translation == 'correction':
            if crop_numbers is None:
                raise ValueError("prompts with translation 'correction' need crop_numbers")
            parts.append(crop_numbers.to(hand_tokens.dtype))
        return Prompts(self.mlp(torch.cat(parts, dim=-1)), patch_positions(hands.boxes, grid, patch))


class TranslationHead(nn.Module):
    """Fused token f_fused [N, D] to the wrist joint in the camera's optical frame, metres (paper eq. 6).

    The three numbers v become v / |v| * (exp(|v|) - 1), as the scene's points do, so both live on the same scale and
    a step of the network is a relative change at a distance and an absolute one nearby. With ``translation``
    'correction' they stay as they are and say how much the apparent place is off (``CropTranslation.corrected``).
    """

    def __init__(self, config: PromptConfig) -> None:
        super().__init__()
        self.corrects = config.translation == 'correction'
        hidden = config.translation_hidden_width
        readout = nn.Linear(hidden, 3)
        self.mlp = nn.Sequential(nn.Linear(config.decoder_width, hidden), nn.GELU(), readout)
        nn.init.xavier_uniform_(readout.weight, gain=0.01)
        with torch.no_grad():
            start = 0.0 if self.corrects else math.log1p(config.initial_distance)
            readout.bias.copy_(torch.tensor([0.0, 0.0, start]))

    def forward(self, fused_tokens: Tensor) -> Tensor:
        """[N, D] to [N, 3]."""
        vector = self.mlp(fused_tokens).float()
        if self.corrects:
            return vector
        length = vector.norm(dim=-1, keepdim=True).clamp(min=1e-8)
        return vector * (length.expm1() / length)
