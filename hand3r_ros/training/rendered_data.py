"""The layout of pre-rendered training data: one memory-mapped array per quantity, one row per sequence.

Every row has ``frames`` time steps and, per time step, two hand slots (0 = left, 1 = right). Hand quantities are stored
for a right-looking hand, as the network predicts them: images of left hands mirrored, their rotations and offsets too.
Hand crops are stored wider than the network's (``CROP_MARGIN``) so that training can shift, scale and turn them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CROP_MARGIN = 1.5  # side of the stored crop over the side of the network's crop
SLOTS = 2


@dataclass(frozen=True)
class RenderedDataLayout:
    """Sizes of one data set."""

    split: str  # 'train', 'validation' or 'test'
    sequences: int
    frames: int
    height: int  # of the scene image, network resolution
    width: int
    crop: int  # side of the network's hand crop in pixels
    rescale: float  # context around hand boxes in the network's crop

    @property
    def stored_crop(self) -> int:
        """Side of the stored crop in pixels."""
        return round(self.crop * CROP_MARGIN)

    def shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Array name -> (shape of one row, dtype)."""
        frames, height, width, crop = self.frames, self.height, self.width, self.stored_crop
        return {
            'done': ((), 'bool'),
            'image': ((frames, height, width, 3), 'uint8'),
            'depth': ((frames, height, width), 'float16'),  # m, 0 = nothing there
            'intrinsics': ((4,), 'float32'),  # fx fy cx cy of the scene image
            'T_world_camera': ((frames, 4, 4), 'float32'),
            'hand_valid': ((frames, SLOTS), 'bool'),
            'hand_visible': ((frames, SLOTS), 'float32'),
            'hand_box': ((frames, SLOTS, 4), 'float32'),  # px of the scene image
            'hand_crop': ((frames, SLOTS, crop, crop, 3), 'uint8'),
            'hand_rotations': ((frames, SLOTS, 16, 3, 3), 'float32'),  # right-looking
            'hand_betas': ((frames, SLOTS, 10), 'float32'),
            'hand_wrist': ((frames, SLOTS, 3), 'float32'),  # m, camera frame, not mirrored
            'hand_keypoints': ((frames, SLOTS, 21, 3), 'float32'),  # m, camera frame, not mirrored
            'hand_keypoints_crop': ((frames, SLOTS, 21, 2), 'float32'),  # -0.5..0.5 of the network's crop, mirrored
        }


class RenderedData:
    """Opens (or creates) a data set; arrays are attributes of ``arrays`` and are written in place."""

    def __init__(self, directory: Path, layout: RenderedDataLayout, arrays: dict[str, NDArray]) -> None:
        self.directory = directory
        self.layout = layout
        self.arrays = arrays

    @classmethod
    def create(cls, directory: Path, layout: RenderedDataLayout) -> RenderedData:
        """Allocates a new data set, or opens the one already there when its layout is the same."""
        file = directory / 'layout.json'
        if file.exists():
            existing = cls.open(directory, writable=True)
            if existing.layout != layout:
                raise ValueError(f'{directory} holds {existing.layout}, asked for {layout}: choose another directory')
            return existing
        directory.mkdir(parents=True, exist_ok=True)
        for name, (shape, dtype) in layout.shapes().items():
            np.lib.format.open_memmap(
                directory / f'{name}.npy', mode='w+', dtype=dtype, shape=(layout.sequences, *shape)
            ).flush()
        file.write_text(json.dumps(layout.__dict__, indent=1))
        return cls.open(directory, writable=True)

    @classmethod
    def open(cls, directory: Path, writable: bool = False) -> RenderedData:
        """Opens an existing data set.

        Raises:
            FileNotFoundError: when ``directory`` holds no data set.
        """
        file = directory / 'layout.json'
        if not file.exists():
            raise FileNotFoundError(f'{directory} holds no rendered data: make it with `hand3r render {directory}`')
        layout = RenderedDataLayout(**json.loads(file.read_text()))
        mode: Literal['r+', 'r'] = 'r+' if writable else 'r'
        arrays = {name: np.load(directory / f'{name}.npy', mmap_mode=mode) for name in layout.shapes()}
        return cls(directory, layout, arrays)

    def finished_rows(self) -> NDArray[np.intp]:
        """Indices of the sequences that were rendered completely."""
        return np.flatnonzero(self.arrays['done'])
