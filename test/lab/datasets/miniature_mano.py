"""The open hand written as MANO files (principal components and both sides), so that readers have a MANO to use."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hand3r_lab.datasets.mano_annotations import mirrored_twin
from hand3r_ros.hand_model.data import ARRAY_NAMES, HandModelData, load_open_hand
from hand3r_ros.hand_model.sides import HandSide


def write_mano(folder: Path) -> Path:
    """``MANO_RIGHT.npz`` and ``MANO_LEFT.npz`` in a new folder."""
    folder.mkdir(parents=True)
    for name, model in (('MANO_RIGHT', load_open_hand()), ('MANO_LEFT', left_hand())):
        np.savez(folder / f'{name}.npz', **{array: getattr(model, array) for array in ARRAY_NAMES})
    return folder


def left_hand() -> HandModelData:
    return mirrored_twin(load_open_hand())


def model_of(side: HandSide) -> HandModelData:
    return load_open_hand() if side == HandSide.RIGHT else left_hand()


def rest_root(side: HandSide, betas: np.ndarray) -> np.ndarray:
    """(3,) wrist joint of the shaped hand at rest, which MANO's translation is relative to."""
    model = model_of(side)
    return model.J_regressor[0].astype(float) @ (model.v_template + model.shapedirs @ betas.astype(np.float32))
