"""Data of the open hand beyond MANO's arrays: joint axes, limb sizes, nails, skin regions, wrist.

Everything describes the right hand of mean shape at rest, in model axes (fingers along -x, palm to -y, thumb to +z).
Rows per finger follow the MANO joints: index, middle, little, ring, thumb.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.data import OPEN_HAND_FILE

FloatArray = NDArray[np.float64]
RIG_PREFIX = 'rig_'


@dataclass(frozen=True, eq=False)
class HandRig:
    """Metres; all directions are unit vectors."""

    joints: FloatArray  # (16, 3) joints, MANO order
    fingertips: FloatArray  # (5, 3) ends of the fingers, on the skin
    bone_frames: (
        FloatArray  # (16, 3, 3) columns: flexion axis (right-hand rule closes the hand), dorsal, along the bone
    )
    bone_radii: FloatArray  # (16,) half thickness of the flesh around each bone; the wrist's is that of the palm
    nail_centers: FloatArray  # (5, 3) on the skin
    nail_frames: FloatArray  # (5, 3, 3) columns: across, outward, towards the fingertip
    nail_half_sizes: FloatArray  # (5, 2) half width, half length
    nail_weights: FloatArray  # (778,) 1 on the nails
    palm_weights: FloatArray  # (778,) 1 on palmar skin, 0 on dorsal skin
    knuckle_weights: FloatArray  # (778,) 1 where the skin lies over a joint
    wrist_ring: NDArray[np.int64]  # (K,) vertices around the cut through the forearm, in order
    wrist_direction: FloatArray  # (3,) normal of the cut, towards the elbow


@lru_cache(maxsize=1)
def load_open_hand_rig() -> HandRig:
    """The rig shipped with the open hand."""
    with np.load(OPEN_HAND_FILE, allow_pickle=False) as file:
        return HandRig(**{field.name: _read(file[RIG_PREFIX + field.name]) for field in fields(HandRig)})


def _read(array: NDArray) -> NDArray:
    array = array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float64)
    array.flags.writeable = False
    return array
