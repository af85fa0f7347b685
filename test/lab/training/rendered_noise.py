"""What small rendered data sets of noise have in common."""

from __future__ import annotations

import numpy as np

from hand3r_lab.training.rendered_data import RenderedData


def label(data: RenderedData) -> None:
    """A camera that does not move and one visible right hand in every time step; all sequences finished."""
    arrays = data.arrays
    arrays['intrinsics'][:] = 20.0
    arrays['T_world_camera'][:] = np.eye(4)
    arrays['hand_valid'][:, :, 1] = True
    arrays['hand_visible'][:, :, 1] = 1.0
    arrays['hand_box'][:, :, 1] = (2.0, 2.0, 12.0, 12.0)
    arrays['hand_rotations'][:] = np.eye(3)
    arrays['done'][:] = True
