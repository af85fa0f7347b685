"""Which rows of rendered data can be used: a damaged one is found when it is drawn, counted and replaced.

Nothing is read at opening. A row is looked at once per process, when it is first drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from hand3r_lab.datasets.samples import CorruptSampleError, DataSetError, SkipLog
from hand3r_lab.training.device_cache import NEVER_ALL_ZEROS
from hand3r_lab.training.rendered_data import RenderedData

HAND_ARRAYS = ('intrinsics', 'hand_visible', 'hand_box', 'hand_rotations', 'hand_betas', 'hand_keypoints_crop')
IMAGE_ARRAYS = ('image', 'hand_visible', 'hand_box')
CLIP_ARRAYS = (
    'image',
    'depth',
    'intrinsics',
    'T_world_camera',
    'table_height',
    'hand_visible',
    'hand_box',
    'hand_rotations',
    'hand_betas',
    'hand_wrist',
    'hand_keypoints',
    'hand_keypoints_crop',
)

_NEVER_ALL_ZEROS = (*NEVER_ALL_ZEROS, 'intrinsics', 'T_world_camera')  # an array that was never written is
_ROTATION_TOLERANCE = 1e-3  # largest entry of R R^T - I
_VAIN_DRAWS = 200  # per sample, before giving up


class SoundRows:
    """Draws among rows of one data set and leaves out those that are damaged.

    Args:
        data: whose rows.
        names: the arrays that are used, and so looked at.
        skipped: record of what could not be used.

    """

    def __init__(self, data: RenderedData, names: Collection[str], skipped: SkipLog) -> None:
        self.data = data
        self.skipped = skipped
        held = data.held.names if data.held is not None else frozenset()
        self._arrays = {name: data.arrays[name] for name in {*names, 'hand_valid'} - held}
        self._faults: dict[int, CorruptSampleError | None] = {}

    def draw(self, rows: NDArray[np.intp], size: int, generator: torch.Generator) -> NDArray[np.intp]:
        """``size`` random positions in ``rows``; a position whose row is damaged is drawn again.

        Raises:
            DataSetError: hardly any row is sound.

        """
        chosen = torch.randint(len(rows), (size,), generator=generator).numpy()
        for place in range(size):
            vain = 0
            while not self._is_sound(int(rows[chosen[place]])):
                if (vain := vain + 1) == _VAIN_DRAWS:
                    raise DataSetError(
                        f'{self.data.directory}: {vain} draws running gave no sound sequence; render again\n'
                        f'{self.skipped.summary()}'
                    )
                chosen[place] = int(torch.randint(len(rows), (), generator=generator))
        return chosen

    def _is_sound(self, row: int) -> bool:
        if row not in self._faults:
            self._faults[row] = self._fault(row)
        fault = self._faults[row]
        if fault is not None:
            self.skipped.add_corrupt(fault)
        return fault is None

    def _fault(self, row: int) -> CorruptSampleError | None:
        found = impossible(self._arrays, row)
        if self.data.held is not None and row in self.data.held.faults:
            found.append(self.data.held.faults[row])
        for name, reason in found:
            return CorruptSampleError(self.data.directory / f'{name}.npy, sequence {row}', reason)
        return None


def impossible(arrays: Mapping[str, NDArray], row: int) -> list[tuple[str, str]]:
    """What a finished row cannot hold: names of arrays and reasons; arrays that are not given are not looked at."""
    values = {name: np.asarray(array[row]) for name, array in arrays.items()}
    wrong = [
        (name, 'values that are not finite')
        for name, value in values.items()
        if value.dtype.kind == 'f' and not np.isfinite(value).all()
    ]
    wrong += [(name, 'all zeros') for name in _NEVER_ALL_ZEROS if name in values and not values[name].any()]
    if 'depth' in values and (values['depth'] < 0.0).any():
        wrong.append(('depth', 'negative'))
    if 'intrinsics' in values and (values['intrinsics'][:2] <= 0.0).any():
        wrong.append(('intrinsics', 'focal lengths that are not positive'))
    if 'T_world_camera' in values and not _are_rotations(values['T_world_camera'][:, :3, :3]):
        wrong.append(('T_world_camera', 'no rotations'))
    labelled = {'hand_valid', 'hand_rotations'} <= values.keys()
    if labelled and not _are_rotations(values['hand_rotations'][values['hand_valid']]):
        wrong.append(('hand_rotations', 'no rotations'))
    return wrong


def _are_rotations(matrices: NDArray) -> bool:
    """Whether all of [..., 3, 3] are; true of none."""
    if not matrices.size:
        return True
    with np.errstate(invalid='ignore', over='ignore'):
        product = matrices @ matrices.swapaxes(-1, -2)
        close = np.abs(product - np.eye(3)).max() < _ROTATION_TOLERANCE  # false for NaN
        return bool(close and (np.linalg.det(matrices) > 0.0).all())
