"""Sizes and options of the scene stream; the defaults are those of the published CUT3R 512 DPT checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

STATE_UPDATES = ('cut3r', 'ttt3r')
STEM_STRIDE = 16


@dataclass(frozen=True)
class StemConfig:
    """Widths of the convolutional stem; the width of its tokens is that of the transformer."""

    quarter_width: int = 48
    """Channels at a quarter of the resolution."""
    eighth_width: int = 96
    """Channels at an eighth of the resolution."""
    blocks: int = 2
    """Residual blocks at an eighth of the resolution."""


@dataclass(frozen=True)
class SceneConfig:
    """Every width of the scene stream, so that small and full-size networks are the same code."""

    patch_size: int = 16
    stem: StemConfig | None = None
    """Convolutions whose tokens are added to those of the linear patch embedding; published checkpoints have none."""
    encoder_width: int = 1024
    encoder_depth: int = 24
    encoder_heads: int = 16
    mlp_ratio: int = 4
    """Hidden width of every feed-forward part, in multiples of the token width."""

    decoder_width: int = 768
    decoder_depth: int = 12
    decoder_heads: int = 12

    state_size: int = 768
    """Number of recurrent state tokens."""
    state_heads: int = 16
    """Attention heads of the state side of the decoder (not the same as the image side in CUT3R)."""
    state_layout: Literal['2d', '1d'] = '2d'
    """How state tokens get their RoPE positions: on an almost square grid, or along a diagonal."""
    state_update: Literal['cut3r', 'ttt3r'] = 'cut3r'
    """How much of the state a frame rewrites: all of it, or TTT3R's share per token (training-free)."""

    memory_slots: int = 256
    memory_heads: int = 12
    memory_depth: int = 2
    """Blocks of the memory's reader, and as many of its writer."""
    memory_mlp_ratio: int = 4
    pose_token_after_reset: Literal['memory', 'learned'] = 'memory'
    """Where the pose token of the first frame after a reset comes from: CUT3R reads the initial memory, TTT3R's
    long-sequence entry point starts from the learned token again."""

    head: Literal['dpt', 'linear', 'pyramid'] = 'dpt'
    """Of the checkpoints: 'dpt' or 'linear'. 'pyramid' joins tokens and the maps of ``stem``, for small networks."""
    pyramid_widths: tuple[int, int, int] = (128, 64, 48)
    """Channels of the pyramid at a sixteenth, an eighth and a quarter of the resolution."""
    pyramid_blocks: tuple[int, int, int] = (2, 2, 1)
    """Residual blocks at these resolutions."""
    dpt_widths: tuple[int, int, int, int] = (96, 192, 384, 768)
    """Channels of the four pyramid levels, finest first."""
    dpt_fusion_width: int = 256
    dpt_output_width: int = 128
    world_head: bool = True
    """Whether the network has the second pointmap, in the world frame."""
    world_depth: int = 2
    """Pose-conditioned blocks in front of the world head."""
    rgb_head: bool = True

    ray_map_depth: int = 2
    """Blocks of the ray-map encoder; 0 leaves ray maps out of the network."""
    ray_map_heads: int = 16

    rope_base: float = 100.0
    rope_half: bool = False
    """Round queries and keys of the image encoder to float16 around their rotation, as the released CUT3R does."""

    self_points: Literal['exp', 'rays', 'camera'] = 'exp'
    """Parametrisation of the pointmap in the camera frame: CUT3R's (exponential distance along a free direction), or
    log depth along the rays of a pinhole camera whose focal lengths are predicted per pixel. The second starts from
    a valid pointmap and learns faster without pretraining; published checkpoints need the first. 'camera' goes on from
    there: the network can be told the camera (``Frame.intrinsics``) and guesses one focal length per image where it is
    not; depths are predicted as a camera of ``initial_field_of_view`` would see them and scaled with the focal length,
    because an image does not tell a near thing under a wide lens from a far one under a long lens."""
    initial_depth: float = 1.0
    """Metres; where an untrained network's pointmaps start."""
    initial_field_of_view: float = 60.0
    """Degrees across the longer image side; where 'rays' starts."""

    def __post_init__(self) -> None:
        for name, width, heads in (
            ('encoder_width', self.encoder_width, self.encoder_heads),
            ('decoder_width', self.decoder_width, self.decoder_heads),
            ('decoder_width (state side)', self.decoder_width, self.state_heads),
        ):
            if width % (4 * heads):
                raise ValueError(f'{name} must be a multiple of 4 x heads for RoPE-2D, got {width} and {heads} heads')
        if 2 * self.decoder_width % self.memory_heads:
            raise ValueError(f'memory_heads must divide 2 x decoder_width, got {self.memory_heads}')
        if self.ray_map_depth and self.encoder_width % (4 * self.ray_map_heads):
            raise ValueError(f'encoder_width must be a multiple of 4 x ray_map_heads, got {self.ray_map_heads} heads')
        if self.decoder_depth < 4:
            raise ValueError(f'decoder_depth must be at least 4 to give four DPT levels, got {self.decoder_depth}')
        _check_choice('head', self.head, ('dpt', 'linear', 'pyramid'))
        if self.head == 'pyramid' and self.stem is None:
            raise ValueError("head 'pyramid' joins the maps of a stem: give one")
        _check_choice('state_layout', self.state_layout, ('2d', '1d'))
        _check_choice('state_update', self.state_update, STATE_UPDATES)
        _check_choice('pose_token_after_reset', self.pose_token_after_reset, ('memory', 'learned'))
        _check_choice('self_points', self.self_points, ('exp', 'rays', 'camera'))
        if self.stem is not None and self.patch_size != STEM_STRIDE:
            raise ValueError(f'a stem makes patches of {STEM_STRIDE} pixels, got patch_size {self.patch_size}')

    @property
    def takes_camera(self) -> bool:
        """Whether the network can be conditioned on intrinsics (``Frame.intrinsics``)."""
        return self.self_points == 'camera'

    @property
    def level_layers(self) -> tuple[int, int]:
        """After how many decoder blocks the two middle DPT levels are taken."""
        return self.decoder_depth * 2 // 4, self.decoder_depth * 3 // 4


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, got {value!r}')
