"""Sizes of the hand stream; the defaults are those of the published HaMeR checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hand3r_ros.network.scene.config import STEM_STRIDE, StemConfig

POSE_NUMBERS = 16 * 6
"""Global orientation and 15 joint rotations of the MANO hand, six numbers each."""

SHAPE_NUMBERS = 10
CAMERA_NUMBERS = 3
KEYPOINT_NUMBERS = 21 * 3


@dataclass(frozen=True)
class HandConfig:
    """Every width of the hand stream, so that small and full-size networks are the same code."""

    crop_size: int = 256
    """Side of the square crop in pixels."""
    crop_rescale: float = 2.0
    """Side of the context around a tight box, before it grows to the aspect of the used part. 2 is what the published
    network is run with; a network with a small crop sees more of the hand when it is tighter."""
    used_width: int = 192
    """Columns of the crop that the ViT looks at, taken from its middle."""
    patch_size: int = 16
    patch_padding: int = 2
    """Zero pixels around the used part before it is cut into patches (HaMeR's value at 16-pixel patches)."""
    stem: StemConfig | None = None
    """Convolutions in the place of the linear patch embedding, for networks that are trained from nothing."""
    width: int = 1280
    depth: int = 32
    heads: int = 16
    mlp_width: int = 5120

    head_width: int = 1024
    head_depth: int = 6
    head_heads: int = 8
    head_dim: int = 64
    """Channels of one attention head of the MANO head."""
    head_mlp_width: int = 1024
    iterations: int = 1
    """Refinement passes of the MANO head; each adds to the running estimate."""
    query: Literal['zero', 'estimate', 'keypoints'] = 'zero'
    """What the single query of the MANO head is made of: nothing (the released configuration), the running estimate of
    pose, shape and camera (the checkpoint option TRANSFORMER_INPUT: mean_shape), or keypoints that a head of their own
    reads from the tokens (ours: a small network learns where keypoints are long before it learns joint angles)."""
    orientation: Literal['camera', 'line_of_sight'] = 'camera'
    """What the global orientation refers to: the camera's axes, as in HaMeR, or the line of sight to the middle of the
    box, which is all that a crop shows (``viewing_ray``)."""
    initial_camera: tuple[float, float, float] = (4.0, 0.0, 0.0)
    """s, tx, ty from which an untrained head starts; a checkpoint brings its own."""

    def __post_init__(self) -> None:
        if self.used_width > self.crop_size or (self.crop_size - self.used_width) % 2:
            raise ValueError(
                f'used_width must leave an even rest of crop_size, got {self.used_width} of {self.crop_size}'
            )
        if self.width % self.heads:
            raise ValueError(f'width must be a multiple of heads, got {self.width} and {self.heads}')
        if self.query not in ('zero', 'estimate', 'keypoints'):
            raise ValueError(f"query must be 'zero', 'estimate' or 'keypoints', got {self.query!r}")
        if self.orientation not in ('camera', 'line_of_sight'):
            raise ValueError(f"orientation must be 'camera' or 'line_of_sight', got {self.orientation!r}")
        if self.stem is not None and (self.patch_size != STEM_STRIDE or self.used_width % STEM_STRIDE):
            raise ValueError(
                f'a stem makes patches of {STEM_STRIDE} pixels, got patch_size {self.patch_size} and '
                f'used_width {self.used_width}'
            )
        if self.iterations < 1:
            raise ValueError(f'iterations must be at least 1, got {self.iterations}')
        if min(self.grid) < 1:
            raise ValueError(f'a {self.crop_size} pixel crop is smaller than one {self.patch_size} pixel patch')

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid (16 x 12 by default)."""
        spare = 2 * self.patch_padding - self.patch_size
        return (self.crop_size + spare) // self.patch_size + 1, (self.used_width + spare) // self.patch_size + 1

    @property
    def token_count(self) -> int:
        """Tokens per crop (192 by default)."""
        rows, columns = self.grid
        return rows * columns

    @property
    def query_numbers(self) -> int:
        """How many numbers the query of the MANO head is embedded from."""
        numbers = {
            'zero': 1,
            'estimate': POSE_NUMBERS + SHAPE_NUMBERS + CAMERA_NUMBERS,
            'keypoints': KEYPOINT_NUMBERS,
        }
        return numbers[self.query]
