"""Reads MANO_RIGHT.pkl without executing anything from it and without chumpy.

The pickle becomes inert records (``hand3r_ros.safe_pickle``), every name that is neither one of plain data nor one of
MANO files is refused, and the arrays are built from the records. chumpy is needed for one expression only, a selection
of elements of a plain array.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.plain_names import describes_plain_data
from hand3r_ros.safe_pickle import Call, Global, PickleProgramError, mapping_of, read_pickle

MAX_FILE_BYTES = 256 * 2**20  # MANO_RIGHT.pkl has about 4 MB
MAX_ELEMENTS = 32 * 2**20  # of one array

_CORES = ('numpy.core', 'numpy._core')
_ARRAY = frozenset((f'{core}.multiarray', '_reconstruct') for core in _CORES)
_BUFFER_ARRAY = frozenset(
    (f'{core}.{module}', '_frombuffer') for core in _CORES for module in ('numeric', 'multiarray')
)
_DTYPE = frozenset((('numpy', 'dtype'),))
_SPARSE_COLUMNS, _SPARSE_ROWS = (
    frozenset(
        (f'scipy.sparse.{module}', f'{kind}_{what}') for module in (kind, f'_{kind}') for what in ('matrix', 'array')
    )
    for kind in ('csc', 'csr')
)
_CHUMPY_ARRAY = frozenset((('chumpy.ch', 'Ch'),))
_CHUMPY_SELECTION = frozenset((('chumpy.reordering', 'Select'),))
_RECONSTRUCTOR = frozenset((('copy_reg', '_reconstructor'), ('copyreg', '_reconstructor')))
_LATIN1_BYTES = frozenset((('_codecs', 'encode'),))
_KNOWN = _SPARSE_COLUMNS | _SPARSE_ROWS | _CHUMPY_ARRAY | _CHUMPY_SELECTION
"""Beside names of plain data."""


class HandModelFileError(ValueError):
    """A hand model file is missing, damaged, unsafe or not a hand model."""


def load_mano_pickle(path: Path, names: Iterable[str]) -> dict[str, NDArray]:
    """The arrays ``names`` of a MANO-layout pickle (Python 2 or 3); entries that are absent are left out.

    Raises:
        HandModelFileError: the file cannot be read, is damaged, names a global that MANO files do not need, or holds
            something else than arrays under ``names``.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise HandModelFileError(f'{path}: {size} bytes is too large for a hand model')
        program = path.read_bytes()
    except OSError as error:
        raise HandModelFileError(f'{path}: cannot be read: {error}') from error
    return mano_arrays(program, names, path)


def mano_arrays(program: bytes, names: Iterable[str], source: str | Path) -> dict[str, NDArray]:
    """``load_mano_pickle`` for the content of a file; ``source`` is its name in messages."""
    try:
        content = mapping_of(found := read_pickle(program, _permit))
    except PickleProgramError as error:
        raise HandModelFileError(f'{source}: not readable as MANO_RIGHT.pkl: {error}') from error
    if content is None:
        raise HandModelFileError(f'{source}: a hand model is a dictionary, this file holds {_describe(found)}')
    try:
        return {name: _array(content[name], name) for name in names if name in content}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise HandModelFileError(f'{source}: {error}') from error
    except RecursionError as error:
        raise HandModelFileError(f'{source}: arrays that contain themselves') from error


def _permit(found: Global) -> None:
    if (found.module, found.name) not in _KNOWN and not describes_plain_data(found):
        raise PickleProgramError(
            f'refused to load the global {found}: MANO files do not need it, so this file is damaged, '
            f'not a MANO model, or unsafe. Nothing of it was executed'
        )


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
    if _is(value, _BUFFER_ARRAY):  # how protocol 5 stores arrays
        data, dtype, shape, order = value.arguments
        return _filled(data, _dtype(dtype, name), _shape(shape, name), order, name)
    if _is(value, _SPARSE_COLUMNS):
        return _sparse_array(_dictionary(value, name), name)
    if _is(value, _SPARSE_ROWS):
        return _sparse_array(_dictionary(value, name), name, by_row=True)
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
    if _is(data, _LATIN1_BYTES) and len(data.arguments) == 2 and data.arguments[1] == 'latin1':
        data = data.arguments[0]  # how Python 3 stores bytes in protocols below 3
    data = data.encode('latin1') if isinstance(data, str) else data
    return _filled(data, _dtype(dtype_record, name), _shape(shape, name), 'F' if column_major else 'C', name)


def _filled(data: Any, dtype: np.dtype, shape: tuple[int, ...], order: Any, name: str) -> NDArray:
    if not isinstance(data, bytes) or len(data) != prod(shape) * dtype.itemsize:
        raise ValueError(f'{name}: the data do not fill an array of shape {shape} and type {dtype}')
    return np.frombuffer(data, dtype).reshape(shape, order='F' if order == 'F' else 'C')


def _dtype(record: Any, name: str) -> np.dtype:
    if not _is(record, _DTYPE) or not isinstance(record.arguments[0], str):
        raise ValueError(f'{name}: the element type is not a numpy dtype')
    code = record.arguments[0]
    if code not in {f'{kind}{size}' for kind in 'iu' for size in (1, 2, 4, 8)} | {'f2', 'f4', 'f8', 'b1'}:
        raise ValueError(f'{name} has elements of type {code!r}, only numbers are accepted')
    big_endian = bool(record.state) and record.state[1] == '>'
    return np.dtype(code).newbyteorder('>' if big_endian else '<')


def _sparse_array(state: dict, name: str, by_row: bool = False) -> NDArray:
    """Dense array of compressed columns or rows (data, indices, indptr)."""
    shape = _shape(state['_shape'] if '_shape' in state else state['shape'], name)
    rows, columns = reversed(shape) if by_row else shape
    data, indices, starts = (_array(state[key], f'{name}.{key}') for key in ('data', 'indices', 'indptr'))
    if len(starts) != columns + 1 or len(data) != len(indices) or (np.diff(starts) < 0).any():
        raise ValueError(f'{name}: the compressed {"rows" if by_row else "columns"} are inconsistent')
    dense = np.zeros((rows, columns))
    np.add.at(dense, (indices, np.repeat(np.arange(columns), np.diff(starts))), data)
    return dense.T if by_row else dense


def _shape(value: Any, name: str) -> tuple[int, ...]:
    shape = tuple(int(length) for length in value)
    if any(length < 0 for length in shape) or prod(shape) > MAX_ELEMENTS:
        raise ValueError(f'{name}: the shape {shape} is impossible for a hand model')
    return shape
