"""The layout of pre-rendered training data: one memory-mapped array per quantity, one row per sequence.

Every row has ``frames`` time steps and, per time step, two hand slots (0 = left, 1 = right). Hand quantities are stored
for a right-looking hand, as the network predicts them: images of left hands mirrored, their rotations and offsets too.
Hand crops are stored wider than the network's (``CROP_MARGIN``) so that training can shift, scale and turn them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand3r_lab.datasets.samples import DataSetError
from hand3r_lab.training.device_cache import DeviceCache
from hand3r_ros.network.config import Hand3RConfig

LAYOUT_FILE = 'layout.json'
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

    @classmethod
    def read(cls, path: Path) -> RenderedDataLayout:
        """The layout in a file.

        Raises:
            DataSetError: it is none.

        """
        try:
            layout = cls(**json.loads(path.read_text()))
            for field in dataclasses.fields(cls):
                value = getattr(layout, field.name)
                is_number = isinstance(value, (int, float) if field.name == 'rescale' else int) and value > 0
                if not (isinstance(value, str) if field.name == 'split' else is_number):
                    raise ValueError(f'{field.name} is {value!r}')
        except (OSError, ValueError, TypeError) as error:
            raise DataSetError(f'{path} is no layout of rendered data: {error}') from error
        return layout

    @classmethod
    def for_network(cls, config: Hand3RConfig, split: str, sequences: int, frames: int) -> RenderedDataLayout:
        """Sizes that a network takes, of 4:3 images."""
        width = config.image_long_side
        height = round(width * 3 / 4) // 16 * 16
        return cls(split, sequences, frames, height, width, config.hand.crop_size, config.hand.crop_rescale)

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
            'table_height': ((), 'float32'),  # m above the world's origin
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
        self.held: DeviceCache | None = None

    @classmethod
    def create(cls, directory: Path, layout: RenderedDataLayout) -> RenderedData:
        """Allocates a new data set, or opens the one already there when its layout is the same."""
        file = directory / LAYOUT_FILE
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
            DataSetError: the layout or an array is missing, damaged or of another version.

        """
        file = directory / LAYOUT_FILE
        if not file.exists():
            raise FileNotFoundError(f'{directory} holds no rendered data: make it with `hand3r-lab render {directory}`')
        layout = RenderedDataLayout.read(file)
        arrays = {
            name: _open_array(directory / f'{name}.npy', (layout.sequences, *shape), dtype, writable)
            for name, (shape, dtype) in layout.shapes().items()
        }
        return cls(directory, layout, arrays)

    @classmethod
    def in_memory(cls, name: str, layout: RenderedDataLayout) -> RenderedData:
        """An empty data set without files; ``name`` is what messages call it."""
        arrays = {
            array: np.zeros((layout.sequences, *shape), dtype) for array, (shape, dtype) in layout.shapes().items()
        }
        return cls(Path(name), layout, arrays)

    def hold(self, names: Collection[str], device: torch.device) -> None:
        """Copies arrays of the finished rows to a device, where ``take`` gives them from then on.

        Raises:
            DataSetError: they do not fit into its memory.

        """
        self.held = DeviceCache(self.arrays, names, self.finished_rows(), device)

    def take(self, name: str, where: tuple[NDArray[np.intp], ...]) -> Tensor:
        """Entries of an array by row and further indices: on the device that holds it, else on the CPU."""
        if self.held is not None and name in self.held.names:
            return self.held.take(name, where)
        return torch.from_numpy(np.asarray(self.arrays[name][where]))

    def finished_rows(self) -> NDArray[np.intp]:
        """Indices of the sequences that were rendered completely."""
        return np.flatnonzero(self.arrays['done'])


def _open_array(path: Path, shape: tuple[int, ...], dtype: str, writable: bool) -> NDArray:
    """A memory map of a file of known size; opened for reading first, because writing would lengthen a short file."""
    if not path.is_file():
        raise DataSetError(
            f'{path} is missing: {path.parent} was rendered with an older version or copied in part: render again'
        )
    modes: tuple[Literal['r', 'r+'], ...] = ('r', 'r+') if writable else ('r',)
    for mode in modes:
        try:
            array: NDArray = np.load(path, mmap_mode=mode, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataSetError(f'{path} is damaged ({error}): render again') from error
        if array.shape != shape or array.dtype != np.dtype(dtype):
            raise DataSetError(
                f'{path} is {array.dtype} {array.shape}, {LAYOUT_FILE} says {dtype} {shape}: '
                f'{path.parent} was rendered with another version: render again'
            )
    return array
