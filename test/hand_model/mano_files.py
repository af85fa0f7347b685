"""Writes hand model files in the layout of MANO_RIGHT.pkl: Python 2 strings, chumpy shape space, old scipy names."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
from typing import Any, ClassVar

import numpy as np
import pytest

from hand3r_ros.hand_model.joints import JOINT_PARENTS
from hand3r_ros.hand_model.sides import HandSide, template_side


def random_hand(seed: int = 0) -> dict[str, Any]:
    """Arrays with MANO's names and shapes and random contents (float64), but not a left hand's."""
    rng = np.random.default_rng(seed)
    weights = rng.random((778, 16)) ** 4
    regressor = rng.random((16, 778)) * (rng.random((16, 778)) < 0.02) + 1e-9
    template = 0.05 * rng.standard_normal((778, 3))
    if template_side(regressor @ template) == HandSide.LEFT:
        template[:, 0] *= -1.0
    return {
        'v_template': template,
        'shapedirs': 0.004 * rng.standard_normal((778, 3, 10)),
        'posedirs': 0.002 * rng.standard_normal((778, 3, 135)),
        'J_regressor': regressor / regressor.sum(1, keepdims=True),
        'weights': weights / weights.sum(1, keepdims=True),
        'kintree_table': np.array([[2**32 - 1, *JOINT_PARENTS[1:]], range(16)]),
        'f': rng.integers(0, 778, (1538, 3)).astype(np.uint32),
        'hands_components': rng.standard_normal((45, 45)),
        'hands_mean': rng.standard_normal(45),
        'bs_style': 'lbs',
        'bs_type': 'lrotmin',
    }


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes str and bytes as Python 2 wrote its str."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def _save_string(self, value: Any) -> None:
        data = value.encode('latin1') if isinstance(value, str) else value
        self.write(b'T' + struct.pack('<i', len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = _save_string
    dispatch[str] = _save_string


def python2_pickle(content: Any) -> bytes:
    buffer = io.BytesIO()
    _Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b'cnumpy._core.multiarray', b'cnumpy.core.multiarray')


def as_in_the_released_file(hand: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """``hand`` with its shape space as a chumpy selection (the first 10 of 20 components) and a sparse regressor."""
    from scipy import sparse

    ch, select, csc = (
        _module_with(monkeypatch, module, name)
        for module, name in (('chumpy.ch', 'Ch'), ('chumpy.reordering', 'Select'), ('scipy.sparse.csc', 'csc_matrix'))
    )
    everything = np.random.default_rng(9).standard_normal((778, 3, 20))
    everything[..., :10] = hand['shapedirs']
    array, selection, regressor = ch(), select(), csc()
    array.__dict__.update(x=everything, _dirty_vars=set())
    indices = np.arange(778 * 3 * 20).reshape(778, 3, 20)[..., :10].ravel()
    selection.__dict__.update(a=array, idxs=indices, preferred_shape=(778, 3, 10), _itr=None)
    columns = sparse.csc_matrix(hand['J_regressor'])
    regressor.__dict__.update(
        data=columns.data, indices=columns.indices, indptr=columns.indptr, _shape=(16, 778), maxprint=50
    )
    return {**hand, 'shapedirs': selection, 'J_regressor': regressor}


def _module_with(monkeypatch: pytest.MonkeyPatch, module_name: str, class_name: str) -> type:
    parent, _, _ = module_name.rpartition('.')
    if parent not in sys.modules:
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    module = types.ModuleType(module_name)
    made = type(class_name, (), {'__module__': module_name})
    setattr(module, class_name, made)
    monkeypatch.setitem(sys.modules, module_name, module)
    return made
