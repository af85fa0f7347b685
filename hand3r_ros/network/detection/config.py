"""Sizes of the hand detection head."""

from __future__ import annotations

from dataclasses import dataclass

NORM_GROUPS = 8
LARGEST_WIDTH = 4096
LARGEST_BLOCKS = 100


@dataclass(frozen=True)
class DetectionHeadConfig:
    """Widths of the head; the token width and the patch size are those of the scene stream."""

    stem_widths: tuple[int, ...] = (16, 32, 64)
    """Channels of the convolutions on the image, each of which halves the resolution: three give cells of 8 pixels.
    Scene tokens know what is where but are as coarse as their patches, and a hand is only a few patches wide."""
    width: int = 64
    """Channels of everything after the stem."""
    blocks: int = 3
    """Residual blocks of two 3 x 3 convolutions."""
    initial_score: float = 0.02
    """Score of every cell before training: most cells hold no hand, so starting lower than one half spares the first
    hundred steps."""
    initial_box: float = 40.0
    """Pixels; side of every box before training."""

    def __post_init__(self) -> None:
        # The values may come from the header of a weights file: types and upper ends are checked, too.
        if not 1 <= len(self.stem_widths) <= 6:
            raise ValueError(f'detection.stem_widths must name 1 to 6 convolutions, got {len(self.stem_widths)}')
        for name, value in (('width', self.width), *(('stem_widths', width) for width in self.stem_widths)):
            if type(value) is not int or not 1 <= value <= LARGEST_WIDTH or value % NORM_GROUPS:
                raise ValueError(
                    f'detection.{name} must consist of positive multiples of {NORM_GROUPS} up to {LARGEST_WIDTH}, '
                    f'got {value}'
                )
        if type(self.blocks) is not int or not 0 <= self.blocks <= LARGEST_BLOCKS:
            raise ValueError(f'detection.blocks must lie between 0 and {LARGEST_BLOCKS}, got {self.blocks}')
        if not 0.0 < self.initial_score < 1.0:
            raise ValueError(f'detection.initial_score must lie between 0 and 1, got {self.initial_score}')
        if not 0.0 < self.initial_box < 1e6:
            raise ValueError(f'detection.initial_box must be positive pixels, got {self.initial_box}')

    @property
    def stride(self) -> int:
        """Side of a cell of the heat maps in pixels."""
        return 2 ** len(self.stem_widths)
