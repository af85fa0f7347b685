"""Reading single files of a data set; whatever is wrong with one becomes a CorruptSampleError that names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from hand3r_lab.datasets.samples import CorruptSampleError

MILLIMETRES = 1000.0


class _TupleLoader(yaml.SafeLoader):
    """Safe YAML plus tuples, which DexYCB's calibration files contain; builds no other Python object."""


def _tuple(loader: _TupleLoader, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(None, None, 'a tuple must be a sequence', node.start_mark)
    return loader.construct_sequence(node)


_TupleLoader.add_constructor('tag:yaml.org,2002:python/tuple', _tuple)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; tags other than plain data and tuples are refused."""
    try:
        content = yaml.load(read_bytes(path), Loader=_TupleLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        first_line = str(error).splitlines()[0]
        raise CorruptSampleError(path, f'not readable as plain YAML: {first_line}') from error
    if not isinstance(content, dict):
        raise CorruptSampleError(path, f'must hold a mapping, holds {type(content).__name__}')
    return content


def read_bytes(path: Path) -> bytes:
    """The contents of a file that must not be empty."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CorruptSampleError(path, 'missing') from error
    except OSError as error:
        raise CorruptSampleError(path, f'cannot be read: {error.strerror}') from error
    if not content:
        raise CorruptSampleError(path, 'empty')
    return content


def read_color(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB image."""
    image = _decode(path, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(image[..., ::-1])


def read_depth(path: Path) -> NDArray[np.float32]:
    """(H, W) metres from a 16-bit image in millimetres."""
    image = _decode(path, cv2.IMREAD_UNCHANGED)
    return depth_in_metres(image, path)


def depth_in_metres(image: NDArray, path: Path) -> NDArray[np.float32]:
    """(H, W) metres from 16-bit millimetres."""
    if image.dtype != np.uint16 or image.ndim != 2:
        raise CorruptSampleError(path, f'depth must be 16-bit with one channel, got {image.dtype} {image.shape}')
    return (image / np.float32(MILLIMETRES)).astype(np.float32)


def _decode(path: Path, flags: int) -> NDArray:
    content = read_bytes(path)
    if path.suffix.lower() in ('.jpg', '.jpeg') and b'\xff\xd9' not in content[-64:]:
        raise CorruptSampleError(path, 'truncated: the end-of-image marker is missing')
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if image is None:
        raise CorruptSampleError(path, f'cannot be decoded as an image ({len(content)} bytes)')
    return image


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, NDArray]:
    """The named arrays of an .npz file; arrays of Python objects are refused."""
    read_bytes(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            arrays = {name: file[name] for name in names if name in file.files}
    except Exception as error:  # zipfile, zlib and numpy raise many kinds on damaged files
        raise CorruptSampleError(path, f'cannot be read as .npz: {error}') from error
    if missing:
        raise CorruptSampleError(path, f'lacks {", ".join(missing)}')
    return arrays


def read_npy(path: Path) -> NDArray:
    """The array of an .npy file; Python objects are refused."""
    read_bytes(path)
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:  # numpy raises many kinds on damaged files
        raise CorruptSampleError(path, f'cannot be read as .npy: {error}') from error


def numbers(path: Path, values: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Entry ``name`` of a mapping read from ``path`` as finite numbers of this shape."""
    if name not in values:
        raise CorruptSampleError(path, f'lacks {name}')
    try:
        array = np.asarray(values[name], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CorruptSampleError(path, f'{name} must be numbers: {error}') from error
    if array.size != int(np.prod(shape)):
        raise CorruptSampleError(path, f'{name} must have shape {shape}, has {array.shape}')
    if not np.isfinite(array).all():
        raise CorruptSampleError(path, f'{name} holds values that are not finite')
    return array.reshape(shape)
