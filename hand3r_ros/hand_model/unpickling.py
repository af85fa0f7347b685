"""Reads MANO_RIGHT.pkl without executing anything from it and without chumpy.

The pickle becomes inert records (``hand3r_ros.inert_pickle``), every name that MANO files do not need is refused, and
the arrays are built from the records. chumpy is needed for one expression only, a selection of elements of a plain
array.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.inert_pickle import Call, Global, PickleProgramError, read_pickle

MAX_FILE_BYTES = 256 * 2**20  # MANO_RIGHT.pkl has about 4 MB
MAX_ELEMENTS = 32 * 2**20  # of one array

_ARRAY = frozenset((('numpy.core.multiarray', '_reconstruct'), ('numpy._core.multiarray', '_reconstruct')))
_DTYPE = frozenset((('numpy', 'dtype'),))
_SPARSE_COLUMNS = frozenset((('scipy.sparse.csc', 'csc_matrix'), ('scipy.sparse._csc', 'csc_matrix')))
_CHUMPY_ARRAY = frozenset((('chumpy.ch', 'Ch'),))
_CHUMPY_SELECTION = frozenset((('chumpy.reordering', 'Select'),))
_RECONSTRUCTOR = frozenset((('copy_reg', '_reconstructor'), ('copyreg', '_reconstructor')))
_LATIN1_BYTES = frozenset((('_codecs', 'encode'),))
_KNOWN = _ARRAY | _DTYPE | _SPARSE_COLUMNS | _CHUMPY_ARRAY | _CHUMPY_SELECTION | _RECONSTRUCTOR | _LATIN1_BYTES
_KNOWN |= {('numpy', 'ndarray')} | {
    (module, name) for module in ('builtins', '__builtin__') for name in ('object', 'set')
}


class HandModelFileError(ValueError):
    """A hand model file is missing, damaged, unsafe or not a hand model."""


def load_mano_pickle(path: Path, names: Iterable[str]) -> dict[str, NDArray]:
    """The arrays ``names`` of a MANO-layout pickle (Python 2 or 3); entries that are absent are left out.

    Raises:
        HandModelFileError: the file cannot be read, is damaged, names a global that MANO files do not need, or holds
            something else than arrays under ``names``.
    """
    content = _unpickle(path)
    if not isinstance(content, dict):
        raise HandModelFileError(f'{path}: a hand model is a dictionary, this file holds {_describe(content)}')
    try:
        return {name: _array(content[name], name) for name in names if name in content}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise HandModelFileError(f'{path}: {error}') from error


def _permit(found: Global) -> None:
    if (found.module, found.name) not in _KNOWN:
        raise PickleProgramError(
            f'refused to load the global {found}: MANO files do not need it, so this file is damaged, '
            f'not a MANO model, or unsafe. Nothing of it was executed'
        )


def _unpickle(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise HandModelFileError(f'{path}: {size} bytes is too large for a hand model')
        return read_pickle(path.read_bytes(), _permit)
    except PickleProgramError as error:
        raise HandModelFileError(f'{path}: not readable as MANO_RIGHT.pkl: {error}') from error
    except OSError as error:
        raise HandModelFileError(f'{path}: cannot be read: {error}') from error


def _is(value: Any, names: frozenset[tuple[str, str]]) -> bool:
    """Whether a record stands for an object that one of ``names`` made."""
    if not isinstance(value, Call):
        return False
    maker = value.function
    if isinstance(maker, Global) and (maker.module, maker.name) in _RECONSTRUCTOR and value.arguments:
        maker = value.arguments[0]  # how protocols 0 and 1 make objects
    return isinstance(maker, Global) and (maker.module, maker.name) in names


def _array(value: Any, name: str) -> NDArray:
    """The numeric array that a record of any supported kind stands for."""
    if _is(value, _ARRAY):
        return _dense_array(value.state, name)
    if _is(value, _SPARSE_COLUMNS):
        return _sparse_array(_dictionary(value, name), name)
    if _is(value, _CHUMPY_ARRAY):
        return _array(_dictionary(value, name)['x'], name)
    if _is(value, _CHUMPY_SELECTION):
        state = _dictionary(value, name)
        elements = _array(state['a'], name).ravel()
        shape = tuple(int(length) for length in state['preferred_shape'])
        return elements[_array(state['idxs'], name).astype(np.int64)].reshape(shape)
    raise ValueError(f'{name} is not an array but {_describe(value)}')


def _describe(value: Any) -> str:
    made_by_name = isinstance(value, Call) and isinstance(value.function, Global)
    return f'a {value.function}' if made_by_name else f'a {type(value).__name__}'


def _dictionary(record: Call, name: str) -> dict:
    if not isinstance(record.state, dict):
        raise ValueError(f'{name}: the state of {_describe(record)} is not a dictionary')
    return record.state


def _dense_array(state: Any, name: str) -> NDArray:
    """From numpy's pickle state: (version,) shape, dtype, column-major?, bytes."""
    shape, dtype_record, column_major, data = state[-4:]
    dtype = _dtype(dtype_record, name)
    shape = _shape(shape, name)
    if _is(data, _LATIN1_BYTES) and len(data.arguments) == 2 and data.arguments[1] == 'latin1':
        data = data.arguments[0]  # how Python 3 stores bytes in protocols below 3
    data = data.encode('latin1') if isinstance(data, str) else data
    if not isinstance(data, bytes) or len(data) != prod(shape) * dtype.itemsize:
        raise ValueError(f'{name}: the data do not fill an array of shape {shape} and type {dtype}')
    return np.frombuffer(data, dtype).reshape(shape, order='F' if column_major else 'C')


def _dtype(record: Any, name: str) -> np.dtype:
    if not _is(record, _DTYPE) or not isinstance(record.arguments[0], str):
        raise ValueError(f'{name}: the element type is not a numpy dtype')
    code = record.arguments[0]
    if code not in {f'{kind}{size}' for kind in 'iu' for size in (1, 2, 4, 8)} | {'f2', 'f4', 'f8', 'b1'}:
        raise ValueError(f'{name} has elements of type {code!r}, only numbers are accepted')
    big_endian = bool(record.state) and record.state[1] == '>'
    return np.dtype(code).newbyteorder('>' if big_endian else '<')


def _sparse_array(state: dict, name: str) -> NDArray:
    """Dense array of compressed columns (data, indices, indptr)."""
    rows, columns = _shape(state['_shape'] if '_shape' in state else state['shape'], name)
    data, indices, starts = (_array(state[key], f'{name}.{key}') for key in ('data', 'indices', 'indptr'))
    if len(starts) != columns + 1 or len(data) != len(indices) or (np.diff(starts) < 0).any():
        raise ValueError(f'{name}: the compressed columns are inconsistent')
    dense = np.zeros((rows, columns))
    np.add.at(dense, (indices, np.repeat(np.arange(columns), np.diff(starts))), data)
    return dense


def _shape(value: Any, name: str) -> tuple[int, ...]:
    shape = tuple(int(length) for length in value)
    if any(length < 0 for length in shape) or prod(shape) > MAX_ELEMENTS:
        raise ValueError(f'{name}: the shape {shape} is impossible for a hand model')
    return shape
