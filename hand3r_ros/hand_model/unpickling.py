"""Reads MANO_RIGHT.pkl without executing anything from it and without chumpy.

A pickle is a program: loading one from elsewhere may run anything. Here every class that MANO files name becomes an
inert record that only remembers what it was given, every other global is refused by name, and the arrays are built
from the records afterwards. chumpy is needed for one expression only, a selection of elements of a plain array.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_FILE_BYTES = 256 * 2**20  # MANO_RIGHT.pkl has about 4 MB
MAX_ELEMENTS = 32 * 2**20  # of one array
MAX_MEMO_INDEX = 2**16  # MANO_RIGHT.pkl uses some hundred; the unpickler allocates memory up to the index


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
        raise HandModelFileError(f'{path}: a hand model is a dictionary, this file holds a {type(content).__name__}')
    try:
        return {name: _array(content[name], name) for name in names if name in content}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise HandModelFileError(f'{path}: {error}') from error


class _Sealed(type):
    """Classes that a pickle cannot alter: the BUILD instruction may set attributes on whatever it is given."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise HandModelFileError('the file tries to alter a class')


class _Record(metaclass=_Sealed):
    """Stands for an object of a pickle; remembers its constructor arguments and state, does nothing with them."""

    __slots__ = ('arguments', 'state')

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _NumpyArray(_Record):
    __slots__ = ()


class _NumpyArrayType(_Record):
    __slots__ = ()


class _NumpyDtype(_Record):
    __slots__ = ()


class _ChumpyArray(_Record):
    __slots__ = ()


class _ChumpySelection(_Record):
    __slots__ = ()


class _SparseColumns(_Record):
    __slots__ = ()


class _PlainObject(_Record):
    __slots__ = ()


class _Reconstructor(metaclass=_Sealed):
    """``copy_reg._reconstructor(class, object, None)``: how protocols 0 and 1 make objects."""

    def __new__(cls, target: Any, *_: Any) -> Any:
        if not (isinstance(target, type) and issubclass(target, _Record)):
            raise HandModelFileError('the file reconstructs an object of an unexpected class')
        return target()


class _Latin1Bytes(metaclass=_Sealed):
    """``_codecs.encode(text, 'latin1')``: how Python 3 stores bytes in protocols below 3."""

    def __new__(cls, text: Any, encoding: Any = 'latin1') -> Any:
        if not isinstance(text, str) or encoding != 'latin1':
            raise HandModelFileError('the file stores bytes in an unexpected encoding')
        return text.encode('latin1')


_RECORDS: dict[tuple[str, str], type] = {
    ('numpy', 'ndarray'): _NumpyArrayType,
    ('numpy', 'dtype'): _NumpyDtype,
    ('numpy.core.multiarray', '_reconstruct'): _NumpyArray,
    ('numpy._core.multiarray', '_reconstruct'): _NumpyArray,
    ('scipy.sparse.csc', 'csc_matrix'): _SparseColumns,
    ('scipy.sparse._csc', 'csc_matrix'): _SparseColumns,
    ('chumpy.ch', 'Ch'): _ChumpyArray,
    ('chumpy.reordering', 'Select'): _ChumpySelection,
    ('copy_reg', '_reconstructor'): _Reconstructor,
    ('copyreg', '_reconstructor'): _Reconstructor,
    ('__builtin__', 'object'): _PlainObject,
    ('builtins', 'object'): _PlainObject,
    ('__builtin__', 'set'): set,
    ('builtins', 'set'): set,
    ('_codecs', 'encode'): _Latin1Bytes,
}


class _RestrictedUnpickler(pickle.Unpickler):
    """Knows the globals of ``_RECORDS`` and imports nothing."""

    def find_class(self, module: str, name: str) -> type:
        record = _RECORDS.get((module, name))
        if record is None:
            raise HandModelFileError(
                f'refused to load the global {module}.{name}: MANO files do not need it, so this file is damaged, '
                f'not a MANO model, or unsafe. Nothing of it was executed'
            )
        return record

    def persistent_load(self, pid: Any) -> Any:
        raise HandModelFileError('refused to load an object stored outside the file')


def _unpickle(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise HandModelFileError(f'{size} bytes is too large for a hand model')
        content = path.read_bytes()
        _check_memo(content)
        return _RestrictedUnpickler(io.BytesIO(content), fix_imports=False, encoding='latin1').load()
    except HandModelFileError as error:
        raise HandModelFileError(f'{path}: {error}') from error
    except OSError as error:
        raise HandModelFileError(f'{path}: cannot be read: {error}') from error
    except Exception as error:  # a damaged pickle makes the unpickler raise nearly anything
        raise HandModelFileError(
            f'{path}: damaged or not a pickle ({type(error).__name__}: {error}); fetch MANO_RIGHT.pkl again'
        ) from error


def _check_memo(content: bytes) -> None:
    """Refuses instructions that would make the unpickler allocate gigabytes; reads the program without running it."""
    for instruction, argument, position in pickletools.genops(content):
        if instruction.name in ('PUT', 'LONG_BINPUT') and not 0 <= int(argument or 0) <= MAX_MEMO_INDEX:
            raise HandModelFileError(f'damaged: impossible memo index {argument} at byte {position}')


def _array(value: Any, name: str) -> NDArray:
    """The numeric array that a record of any supported kind stands for."""
    if isinstance(value, _NumpyArray):
        return _dense_array(value.state, name)
    if isinstance(value, _SparseColumns):
        return _sparse_array(_dictionary(value, name), name)
    if isinstance(value, _ChumpyArray):
        return _array(_dictionary(value, name)['x'], name)
    if isinstance(value, _ChumpySelection):
        state = _dictionary(value, name)
        elements = _array(state['a'], name).ravel()
        shape = tuple(int(length) for length in state['preferred_shape'])
        return elements[_array(state['idxs'], name).astype(np.int64)].reshape(shape)
    raise ValueError(f'{name} is not an array but a {type(value).__name__.lstrip("_")}')


def _dictionary(record: _Record, name: str) -> dict:
    if not isinstance(record.state, dict):
        raise ValueError(f'{name}: the state of {type(record).__name__.lstrip("_")} is not a dictionary')
    return record.state


def _dense_array(state: Any, name: str) -> NDArray:
    """From numpy's pickle state: (version,) shape, dtype, column-major?, bytes."""
    shape, dtype_record, column_major, data = state[-4:]
    dtype = _dtype(dtype_record, name)
    shape = _shape(shape, name)
    data = data.encode('latin1') if isinstance(data, str) else data
    if not isinstance(data, bytes) or len(data) != prod(shape) * dtype.itemsize:
        raise ValueError(f'{name}: the data do not fill an array of shape {shape} and type {dtype}')
    return np.frombuffer(data, dtype).reshape(shape, order='F' if column_major else 'C')


def _dtype(record: Any, name: str) -> np.dtype:
    if not isinstance(record, _NumpyDtype) or not isinstance(record.arguments[0], str):
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
