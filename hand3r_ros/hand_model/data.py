"""Hand model data in the layout of MANO files, from the open hand of this package or from the user's MANO file.

``id`` names the vertex order and shape space. Weights, messages and annotations made with one model mean nothing with
the other, so whoever combines two sources calls ``require_same_hand_model`` first.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.joints import JOINT_PARENTS, NUM_BETAS, NUM_JOINTS, NUM_VERTICES
from hand3r_ros.hand_model.sides import HandSide, template_side
from hand3r_ros.hand_model.unpickling import HandModelFileError, load_mano_pickle, mano_arrays

OPEN_HAND = 'open_hand'
MANO = 'mano'
MANO_FOLDERS = ('models', 'mano_v1_2/models')
"""Where the file lies below the folder that MANO's archive was unpacked into."""
OPEN_HAND_FILE = Path(__file__).parent / 'data' / 'open_hand.npz'

FloatArray = NDArray[np.float32]


class HandModelMismatchError(ValueError):
    """Two sources were made with different hand models."""


@dataclass(frozen=True, eq=False)
class HandModelData:
    """A right hand in MANO's layout; metres; at rest the fingers point along -x, the palm to -y, the thumb to +z."""

    id: str  # 'open_hand' or 'mano'
    v_template: FloatArray  # (778, 3) vertices of the mean hand at rest
    shapedirs: FloatArray  # (778, 3, 10) vertex offsets per unit of each beta
    posedirs: FloatArray  # (778, 3, 135) vertex offsets per entry of R - I, joints 1..15 row-major
    J_regressor: FloatArray  # (16, 778) joints from shaped vertices
    weights: FloatArray  # (778, 16) skinning weights
    kintree_table: NDArray[np.int64]  # (2, 16) parents and joints; the wrist's parent is 2**32 - 1
    f: NDArray[np.int64]  # (F, 3) triangles of the right hand, counter-clockwise from outside
    hands_components: FloatArray  # (45, 45) principal components of the pose in rows, axis-angle
    hands_mean: FloatArray  # (45,) mean pose, axis-angle

    def __post_init__(self) -> None:
        expected = {
            'v_template': (NUM_VERTICES, 3),
            'shapedirs': (NUM_VERTICES, 3, NUM_BETAS),
            'posedirs': (NUM_VERTICES, 3, 9 * (NUM_JOINTS - 1)),
            'J_regressor': (NUM_JOINTS, NUM_VERTICES),
            'weights': (NUM_VERTICES, NUM_JOINTS),
            'kintree_table': (2, NUM_JOINTS),
            'hands_components': (45, 45),
            'hands_mean': (45,),
        }
        for name, shape in expected.items():
            _check_array(name, getattr(self, name), shape)
        _check_array('f', self.f, (len(self.f), 3))
        if self.f.size == 0 or self.f.min() < 0 or self.f.max() >= NUM_VERTICES:
            raise ValueError(f'f must hold vertex indices 0..{NUM_VERTICES - 1}')
        parents = tuple(int(parent) for parent in self.kintree_table[0, 1:])
        if parents != JOINT_PARENTS[1:]:
            raise ValueError(f'kintree_table must hold the parents {JOINT_PARENTS[1:]} of joints 1..15, got {parents}')

    def faces(self, side: HandSide) -> NDArray[np.int64]:
        """(F, 3) triangles, counter-clockwise from outside; a left hand is the mirrored right hand."""
        return self.f if side == HandSide.RIGHT else np.ascontiguousarray(self.f[:, ::-1])


ARRAY_NAMES = tuple(field.name for field in fields(HandModelData) if field.name != 'id')

MEAN_PARAMETERS = frozenset(('pose', 'shape', 'cam'))
"""What ``mano_mean_params.npz`` holds, which lies beside HaMeR's checkpoint and is often taken for MANO."""


def load_open_hand() -> HandModelData:
    """The open hand shipped with this package (see docs/open_hand.md). Not MANO: its betas and vertices differ."""
    return _load_open_hand_once()


@lru_cache(maxsize=1)
def _load_open_hand_once() -> HandModelData:
    with np.load(OPEN_HAND_FILE, allow_pickle=False) as file:
        return hand_model_from_arrays(OPEN_HAND, {name: file[name] for name in file.files}, OPEN_HAND_FILE)


def load_mano(path: str | Path, side: HandSide = HandSide.RIGHT) -> HandModelData:
    """MANO from the user's ``MANO_RIGHT.pkl`` (read without executing anything from it) or an ``.npz`` of its arrays.

    Args:
        path: the file, or the folder that holds ``MANO_RIGHT.pkl`` or ``MANO_RIGHT.npz``.
        side: the hand that the file must be of, told by its data, not its name; annotated left hands need MANO_LEFT.

    Raises:
        HandModelFileError: the file is missing, damaged, unsafe or holds another model; the message says which.
    """
    path = find_mano_file(path)
    arrays = _load_npz(path, path) if path.suffix == '.npz' else load_mano_pickle(path, ARRAY_NAMES)
    return _of_side(arrays, path, side)


def mano_from_bytes(content: bytes, source: str) -> HandModelData:
    """``load_mano`` for the content of a file of either format; ``source`` is its name in messages."""
    is_npz = content.startswith(b'PK\x03\x04')
    arrays = _load_npz(io.BytesIO(content), source) if is_npz else mano_arrays(content, ARRAY_NAMES, source)
    return _of_side(arrays, source, HandSide.RIGHT)


def _of_side(arrays: Mapping[str, Any], source: str | Path, side: HandSide) -> HandModelData:
    data = hand_model_from_arrays(MANO, arrays, source)
    found = template_side(data.J_regressor @ data.v_template)
    if found not in (None, side):
        raise HandModelFileError(
            f'{source}: a {found.name.lower()} hand (by the side of its thumb) as in MANO_{found.name}.pkl, where '
            f'MANO_{side.name}.pkl from the same archive is needed'
        )
    return data


def find_mano_file(path: str | Path) -> Path:
    """The file itself; in a folder (or the ``models`` of the unpacked archive) ``MANO_RIGHT.pkl``, else ``.npz``.

    Raises:
        HandModelFileError: there is none, or it is of another kind.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        for folder in (path, *(path / below for below in MANO_FOLDERS)):
            for name in ('MANO_RIGHT.pkl', 'MANO_RIGHT.npz'):
                if (folder / name).is_file():
                    return folder / name
        raise HandModelFileError(
            f'{path}: neither MANO_RIGHT.pkl nor MANO_RIGHT.npz is in this folder or in {" or ".join(MANO_FOLDERS)} '
            'below it (mano_v1_2.zip has to be unpacked)'
        )
    if not path.is_file():
        raise HandModelFileError(f'{path}: no such file; MANO_RIGHT.pkl comes from https://mano.is.tue.mpg.de')
    if path.suffix not in ('.pkl', '.npz'):
        raise HandModelFileError(f'{path}: a hand model is a .pkl or .npz file')
    return path


def hand_model_from_arrays(model_id: str, arrays: Mapping[str, Any], source: str | Path) -> HandModelData:
    """Checks and converts the arrays of a MANO-layout file; entries that the model does not need are ignored.

    Raises:
        HandModelFileError: an array is missing or has a wrong shape; names it and ``source``.
    """
    missing = [name for name in ARRAY_NAMES if name not in arrays]
    if len(missing) == len(ARRAY_NAMES) and arrays.keys() >= MEAN_PARAMETERS:
        raise HandModelFileError(
            f"{source}: HaMeR's mean parameters (pose, shape, cam), which its checkpoint holds too, not the hand "
            'model: give MANO_RIGHT.pkl'
        )
    if missing:
        raise HandModelFileError(f'{source}: not a MANO-layout hand model, missing {", ".join(missing)}')
    try:
        converted = {name: _convert(name, arrays[name]) for name in ARRAY_NAMES}
        converted['shapedirs'] = np.ascontiguousarray(converted['shapedirs'][..., :NUM_BETAS])
        return HandModelData(id=model_id, **converted)
    except (ValueError, TypeError, IndexError) as error:
        raise HandModelFileError(f'{source}: not a MANO-layout hand model: {error}') from error


def require_same_hand_model(
    expected: str, found: str, source: str, advice: str = 'Use files of one hand model only'
) -> None:
    """Refuses to combine hand models; ``advice`` says what the user can do about it.

    Raises:
        HandModelMismatchError: ``found``, the hand model id of ``source``, is not ``expected``.
    """
    if expected != found:
        raise HandModelMismatchError(
            f'{source} was made with the hand model {found!r}, but {expected!r} is in use; '
            f'their vertices, betas and joints do not correspond. {advice}'
        )


def _load_npz(file: Path | BinaryIO, source: str | Path) -> dict[str, Any]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # zipfile and numpy raise many kinds on damaged files
        raise HandModelFileError(f'{source}: cannot be read as .npz: {error}') from error


def _convert(name: str, value: Any) -> NDArray:
    dtype = np.int64 if name in ('f', 'kintree_table') else np.float32
    array = np.array(value).astype(dtype)
    array.flags.writeable = False
    return array


def _check_array(name: str, array: NDArray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f'{name} must have shape {shape}, got {array.shape}')
    if not np.isfinite(array).all():
        raise ValueError(f'{name} holds values that are not finite')
