"""The source mesh in MANO's terms: 16 joints in MANO order and axes, welded vertices, weights per joint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.open_hand.glb import SkinnedMesh, read_glb

SOURCE_PACKAGE = '@webxr-input-profiles/assets 1.0.20'
SOURCE_FILE = 'dist/profiles/generic-hand/right.glb'
SOURCE_SHA256 = '291790c14f7f88a7f9bd35330c47392ed8e8d395ae6728f4bb7089f1bc1f2b96'

_FINGERS = ('index-finger', 'middle-finger', 'pinky-finger', 'ring-finger')
_PHALANGES = ('phalanx-proximal', 'phalanx-intermediate', 'phalanx-distal')
_JOINTS = (
    'wrist',
    *(f'{finger}-{phalanx}' for finger in _FINGERS for phalanx in _PHALANGES),
    *('thumb-metacarpal', 'thumb-phalanx-proximal', 'thumb-phalanx-distal'),
)
_AXES = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""Proper rotation from the axes of the file to fingers -x, palm -y, thumb +z."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SourceHand:
    """A right hand at rest; metres, MANO-like axes, origin in the knuckle of the middle finger."""

    vertices: FloatArray  # (V, 3)
    faces: NDArray[np.int64]  # (F, 3)
    weights: FloatArray  # (V, 16) rows sum to 1
    joints: FloatArray  # (16, 3)
    bone_frames: FloatArray  # (16, 3, 3) columns: flexion axis, dorsal, along the bone


def read_source(path: Path) -> SourceHand:
    """The hand of the pinned source file.

    Raises:
        ValueError: the file is not the one the open hand is made from.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        raise ValueError(f'{path}: SHA-256 is {digest}, not that of {SOURCE_FILE} in {SOURCE_PACKAGE}')
    mesh = read_glb(path)
    order = [mesh.joint_names.index(name) for name in _JOINTS]
    positions = mesh.bind_poses[order, :3, 3] @ _AXES.T
    origin = positions[4]
    vertices, faces, weights = _weld(mesh)
    return SourceHand(
        vertices=vertices @ _AXES.T - origin,
        faces=faces,
        weights=weights,
        joints=positions - origin,
        bone_frames=_bone_frames(mesh.bind_poses[order, :3, :3]),
    )


def _weld(mesh: SkinnedMesh) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    """Merges vertices that texture seams split; weights of joints MANO lacks (metacarpals) go to the wrist."""
    _, first, merged = np.unique(np.round(mesh.vertices, 6), axis=0, return_index=True, return_inverse=True)
    column = [_JOINTS.index(name) if name in _JOINTS else 0 for name in mesh.joint_names]
    weights = np.zeros((len(mesh.vertices), len(_JOINTS)))
    rows = np.arange(len(mesh.vertices))[:, None]
    np.add.at(weights, (rows, np.array(column)[mesh.joint_indices]), mesh.joint_weights)
    weights = weights[first]
    return mesh.vertices[first], merged.reshape(-1)[mesh.faces], weights / weights.sum(1, keepdims=True)


def _bone_frames(bind_rotations: FloatArray) -> FloatArray:
    """WebXR joints have -z along the bone and +y dorsal, so -x is the axis about which positive angles flex."""
    frames = _AXES @ bind_rotations
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    return np.stack([-frames[..., 0], frames[..., 1], -frames[..., 2]], axis=-1)
