"""HOI4D's hand pose pickles, camera paths and camera matrices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.datasets.files import numbers, read_bytes, read_npy
from hand3r_lab.datasets.samples import CorruptSampleError
from hand3r_ros.hand_model.unpickling import HandModelFileError, load_mano_pickle

_PICKLE_NAME = re.compile(r'(\d+)\.pickle')
_LINES_PER_POSE = 5  # three integers, then a 4x4 matrix


@dataclass(frozen=True, eq=False)
class HandPose:
    """One hand pose file."""

    axis_angle: NDArray[np.float64]  # (48,) global orientation and 45 joint angles, absolute (flat hand mean)
    betas: NDArray[np.float64]  # (10,)
    translation: NDArray[np.float64]  # (3,) m, added to the posed model in camera axes
    keypoints_image: NDArray[np.float64] | None  # (21, 2) px of the 1920 x 1080 video


def pose_files(folder: Path) -> dict[int, Path]:
    """Frame number -> file; empty where there is no such folder."""
    if not folder.is_dir():
        return {}
    matches = ((_PICKLE_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return {int(match.group(1)): path for match, path in matches if match}


def read_hand_pose(path: Path) -> HandPose:
    """Reads a pose without executing anything from the pickle.

    Raises:
        CorruptSampleError: the file is missing, damaged, unsafe or holds arrays of other lengths (some released files
            have a ``poseCoeff`` of length 1).
    """
    read_bytes(path)
    try:
        arrays = load_mano_pickle(path, ('poseCoeff', 'beta', 'trans', 'kps2D'))
    except HandModelFileError as error:
        reason = str(error).removeprefix(f'{path}: ').removeprefix('not readable as MANO_RIGHT.pkl: ')
        raise CorruptSampleError(path, f'not a readable hand pose ({reason})') from error
    translation = numbers(path, arrays, 'trans', (3,))
    if translation[2] <= 0.0:
        raise CorruptSampleError(path, f'trans lies behind the camera (z = {translation[2]:.3f} m)')
    keypoints = numbers(path, arrays, 'kps2D', (21, 2)) if 'kps2D' in arrays else None
    return HandPose(
        numbers(path, arrays, 'poseCoeff', (48,)), numbers(path, arrays, 'beta', (10,)), translation, keypoints
    )


def read_camera_log(path: Path) -> NDArray[np.float64]:
    """(T, 4, 4) ``T_world_camera`` of a trajectory in Open3D's .log format.

    The matrices in the text map camera to world; Open3D's reader inverts them into ``extrinsic`` (world to camera).

    Raises:
        CorruptSampleError: missing, truncated, or with matrices that are no rigid motions.
    """
    lines = [line for line in read_bytes(path).decode('ascii', errors='replace').splitlines() if line.strip()]
    if not lines or len(lines) % _LINES_PER_POSE:
        raise CorruptSampleError(path, f'{len(lines)} lines are not whole poses of {_LINES_PER_POSE} lines')
    rows = [line.split() for start in range(1, _LINES_PER_POSE) for line in lines[start::_LINES_PER_POSE]]
    try:
        if any(len(row) != 4 for row in rows):
            raise ValueError('a matrix row has not four numbers')
        table = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise CorruptSampleError(path, f'not a camera trajectory: {error}') from error
    poses = table.reshape(4, -1, 4).transpose(1, 0, 2)  # (T, 4, 4)
    rotations = poses[:, :3, :3]
    orthogonal = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)) < 1e-2
    rigid = np.isfinite(poses).all(axis=(1, 2)) & orthogonal & (np.linalg.det(rotations) > 0.0)
    if not rigid.all():
        raise CorruptSampleError(path, f'pose {int(np.argmin(rigid))} is no rigid motion')
    return poses


def read_camera_matrix(path: Path) -> NDArray[np.float64]:
    """(3, 3) camera matrix of the 1920 x 1080 video."""
    matrix = read_npy(path)
    if matrix.shape != (3, 3) or not np.issubdtype(matrix.dtype, np.number) or not np.isfinite(matrix).all():
        raise CorruptSampleError(path, f'must be a finite 3 x 3 matrix, is {matrix.dtype} {matrix.shape}')
    if matrix[0, 0] <= 0.0 or matrix[1, 1] <= 0.0:
        raise CorruptSampleError(path, 'focal lengths must be positive')
    return matrix.astype(np.float64)
