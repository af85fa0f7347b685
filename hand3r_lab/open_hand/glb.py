"""A small reader for binary glTF files with one skinned mesh: exactly what the source of the open hand needs."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COMPONENT_TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_COMPONENTS = {'SCALAR': 1, 'VEC2': 2, 'VEC3': 3, 'VEC4': 4, 'MAT4': 16}


@dataclass(frozen=True)
class SkinnedMesh:
    """The first primitive of a glb file with its skin, in the units and axes of the file."""

    vertices: NDArray[np.float64]  # (V, 3)
    faces: NDArray[np.int64]  # (F, 3)
    joint_indices: NDArray[np.int64]  # (V, 4) into joint_names
    joint_weights: NDArray[np.float64]  # (V, 4)
    joint_names: tuple[str, ...]  # J names
    bind_poses: NDArray[np.float64]  # (J, 4, 4) joint to model


def read_glb(path: Path) -> SkinnedMesh:
    """Reads ``path``.

    Raises:
        ValueError: the file is not binary glTF 2, or its mesh is not skinned.
    """
    content = path.read_bytes()
    if content[:4] != b'glTF' or struct.unpack_from('<I', content, 4)[0] != 2:
        raise ValueError(f'{path}: not a binary glTF 2 file')
    json_length = struct.unpack_from('<I', content, 12)[0]
    scene = json.loads(content[20 : 20 + json_length])
    binary = content[20 + json_length + 8 :]
    primitive = scene['meshes'][0]['primitives'][0]
    attributes = primitive['attributes']
    if 'JOINTS_0' not in attributes or not scene.get('skins'):
        raise ValueError(f'{path}: the mesh has no skin')
    skin = scene['skins'][0]

    def read(accessor: int) -> NDArray:
        return _read_accessor(scene, binary, accessor)

    inverse_bind = read(skin['inverseBindMatrices']).astype(float).reshape(-1, 4, 4).transpose(0, 2, 1)
    return SkinnedMesh(
        vertices=read(attributes['POSITION']).astype(float),
        faces=read(primitive['indices']).astype(np.int64).reshape(-1, 3),
        joint_indices=read(attributes['JOINTS_0']).astype(np.int64),
        joint_weights=read(attributes['WEIGHTS_0']).astype(float),
        joint_names=tuple(scene['nodes'][joint]['name'] for joint in skin['joints']),
        bind_poses=np.linalg.inv(inverse_bind),
    )


def _read_accessor(scene: dict[str, Any], binary: bytes, index: int) -> NDArray:
    accessor = scene['accessors'][index]
    view = scene['bufferViews'][accessor['bufferView']]
    components = _COMPONENTS[accessor['type']]
    dtype = np.dtype(_COMPONENT_TYPES[accessor['componentType']]).newbyteorder('<')
    if view.get('byteStride', components * dtype.itemsize) != components * dtype.itemsize:
        raise ValueError('interleaved buffers are not supported')
    start = view.get('byteOffset', 0) + accessor.get('byteOffset', 0)
    return np.frombuffer(binary, dtype, accessor['count'] * components, start).reshape(-1, components)
