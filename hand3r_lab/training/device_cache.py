"""Cache of the large arrays of rendered data on the training device, where batches are then made.

A GPU trains a small network faster than a few CPU cores can read, crop and augment images. With the images on the GPU,
a batch is a look-up and some arithmetic there, and only labels are copied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand3r_lab.datasets.samples import DataSetError

LARGE_ARRAYS = ('image', 'depth', 'hand_crop')
NEVER_ALL_ZEROS = ('image', 'depth')  # an array that was never written is


class DeviceCache:
    """Rows of arrays as tensors on a device, and the faults found in them."""

    def __init__(
        self,
        arrays: Mapping[str, NDArray],
        names: Collection[str],
        rows: NDArray[np.intp],
        device: torch.device,
    ) -> None:
        """Copies rows.

        Args:
            arrays: of equal length; ``names`` of them are copied.
            names: which.
            rows: the ones that are copied; others cannot be taken.
            device: where to.

        Raises:
            DataSetError: they do not fit into its memory.

        """
        self.names = frozenset(names)
        self.faults: dict[int, tuple[str, str]] = {}  # row -> array and reason
        self._device = device
        self._place = np.full(len(next(iter(arrays.values()))), -1)
        self._place[rows] = np.arange(len(rows))
        size = sum(arrays[name][0].nbytes for name in names) * len(rows)
        try:
            self._tensors = {name: self._copied(name, arrays[name], rows) for name in names}
        except torch.OutOfMemoryError as error:
            raise DataSetError(
                f'hold_data=true needs {size / 1e9:.1f} GB on {device} for {len(rows)} sequences, which are not free: '
                'set hold_data=false, or render fewer'
            ) from error

    def take(self, name: str, where: tuple[NDArray[np.intp], ...]) -> Tensor:
        """Entries of an array by row and further indices, which are broadcast as numpy does."""
        index = (self._place[where[0]], *where[1:])
        return self._tensors[name][tuple(torch.from_numpy(np.asarray(part)).to(self._device) for part in index)]

    def _copied(self, name: str, array: NDArray, rows: NDArray[np.intp]) -> Tensor:
        kind = torch.from_numpy(np.empty(0, array.dtype)).dtype
        held = torch.empty((len(rows), *array.shape[1:]), dtype=kind, device=self._device)
        sound = torch.ones(len(rows), dtype=torch.bool, device=self._device)
        for place, row in enumerate(rows):
            held[place] = torch.from_numpy(np.array(array[row])).to(self._device)
            sound[place] = _is_sound(name, held[place])
        for row in rows[~sound.cpu().numpy()]:
            self.faults[int(row)] = (name, 'values that cannot be, or nothing but zeros')
        return held


def _is_sound(name: str, values: Tensor) -> Tensor:
    """Whether a row can be used, as a tensor so that nothing waits for it."""
    sound = values.any() if name in NEVER_ALL_ZEROS else torch.ones((), dtype=torch.bool, device=values.device)
    if values.is_floating_point():
        sound = sound & values.isfinite().all() & (values >= 0.0).all()
    return sound
