"""Where DexYCB keeps things: subjects, sequences, cameras, calibration (dex-ycb.github.io; docs/datasets.md).

``<subject>/<sequence>/<serial>/{color,aligned_depth_to_color,labels}_<frame>`` and ``calibration/``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.datasets.files import numbers, read_yaml
from hand3r_lab.datasets.samples import CorruptSampleError, DataSetError
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide

WIDTH, HEIGHT = 640, 480
FRAME_RATE = 30.0

SERIALS = (
    '836212060125',
    '839512060362',
    '840412060917',
    '841412060263',
    '932122060857',
    '932122060861',
    '932122061900',
    '932122062010',
)
"""The eight cameras in the order of the published setups."""

SUBJECTS = 10
SEQUENCES_PER_SUBJECT = 100

_SUBJECT_FOLDER = re.compile(r'\d{8}-subject-(\d{2})')
_SEQUENCE_FOLDER = re.compile(r'\d{8}_\d{6}')  # date and time; anything else there would shift positions
_SIDES = {'left': HandSide.LEFT, 'right': HandSide.RIGHT}


@dataclass(frozen=True)
class SequenceMeta:
    """The used part of a sequence's ``meta.yml``."""

    frames: int
    serials: tuple[str, ...]
    side: HandSide  # one hand per sequence
    mano_calibration: str
    extrinsics: str
    object_ids: tuple[int, ...]  # 1..21
    grasped: int  # index into object_ids


class DexYCBLayout:
    """The folder of a (possibly partial) DexYCB download.

    Raises:
        DataSetError: the folder has no subject.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.subjects: dict[int, Path] = {}  # 1..10
        self._metas: dict[Path, SequenceMeta] = {}
        self._poses: dict[str, dict[str, NDArray[np.float64]]] = {}
        for folder in sorted(root.iterdir()) if root.is_dir() else []:
            match = _SUBJECT_FOLDER.fullmatch(folder.name)
            if match and folder.is_dir():
                self.subjects[int(match.group(1))] = folder
        if not self.subjects:
            raise DataSetError(f'{root} has no DexYCB subject folder such as 20200709-subject-01')

    @cached_property
    def sequences(self) -> dict[int, list[Path]]:
        """Sequence folders of each subject in the order that the setups count in."""
        return {
            number: sorted(path for path in folder.iterdir() if _SEQUENCE_FOLDER.fullmatch(path.name) and path.is_dir())
            for number, folder in self.subjects.items()
        }

    @property
    def calibration(self) -> Path:
        """The folder of all calibrations."""
        return self.root / 'calibration'

    def meta(self, sequence: Path) -> SequenceMeta:
        """``read_meta``, once per sequence for its eight cameras."""
        if sequence not in self._metas:
            self._metas[sequence] = read_meta(sequence)
        return self._metas[sequence]

    def camera_poses(self, name: str) -> dict[str, NDArray[np.float64]]:
        """``read_extrinsics``, once per calibration."""
        if name not in self._poses:
            self._poses[name] = read_extrinsics(self.extrinsics_file(name))
        return self._poses[name]

    def intrinsics_file(self, serial: str) -> Path:
        """Calibration of one camera."""
        return self.calibration / 'intrinsics' / f'{serial}_{WIDTH}x{HEIGHT}.yml'

    def extrinsics_file(self, name: str) -> Path:
        """Poses of all cameras on one day."""
        return self.calibration / f'extrinsics_{name}' / 'extrinsics.yml'

    def mano_file(self, name: str) -> Path:
        """Hand shape of one subject."""
        return self.calibration / f'mano_{name}' / 'mano.yml'


def color_name(frame: int) -> str:
    """File name of a colour image."""
    return f'color_{frame:06d}.jpg'


def depth_name(frame: int) -> str:
    """File name of a depth image, registered to the colour image."""
    return f'aligned_depth_to_color_{frame:06d}.png'


def label_name(frame: int) -> str:
    """File name of a label."""
    return f'labels_{frame:06d}.npz'


def read_meta(sequence: Path) -> SequenceMeta:
    """``meta.yml`` of a sequence folder.

    Raises:
        CorruptSampleError: it is missing or says something impossible.
    """
    path = sequence / 'meta.yml'
    content = read_yaml(path)
    try:
        sides = [str(side) for side in content['mano_sides']]
        meta = SequenceMeta(
            frames=int(content['num_frames']),
            serials=tuple(str(serial) for serial in content.get('serials', SERIALS)),
            side=_SIDES[sides[0]],
            mano_calibration=str(content['mano_calib'][0]),
            extrinsics=str(content['extrinsics']),
            object_ids=tuple(int(number) for number in content.get('ycb_ids', ())),
            grasped=int(content.get('ycb_grasp_ind', 0)),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CorruptSampleError(path, f'lacks or misstates {error}') from error
    if not 0 < meta.frames < 1_000_000 or len(sides) != 1:
        raise CorruptSampleError(
            path, f'num_frames is {meta.frames}, mano_sides is {sides}: expected frames and one hand'
        )
    return meta


def read_intrinsics(path: Path) -> Intrinsics:
    """The colour camera; depth images are registered to it."""
    color = read_yaml(path).get('color')
    if not isinstance(color, dict):
        raise CorruptSampleError(path, 'lacks color')
    fx, fy, cx, cy = (float(numbers(path, color, name, ())) for name in ('fx', 'fy', 'ppx', 'ppy'))
    if min(fx, fy) <= 0.0:
        raise CorruptSampleError(path, f'focal lengths must be positive, got {fx} and {fy}')
    return Intrinsics(fx, fy, cx, cy, WIDTH, HEIGHT)


def read_extrinsics(path: Path) -> dict[str, NDArray[np.float64]]:
    """``T_master_camera`` (4, 4) by serial (also 'apriltag': the table's frame)."""
    table = read_yaml(path).get('extrinsics')
    if not isinstance(table, dict):
        raise CorruptSampleError(path, 'lacks extrinsics')
    poses = {}
    for serial in table:
        pose = np.eye(4)
        pose[:3] = numbers(path, table, serial, (3, 4))
        if np.abs(pose[:3, :3] @ pose[:3, :3].T - np.eye(3)).max() > 1e-3:
            raise CorruptSampleError(path, f'the rotation of {serial} is not one')
        poses[str(serial)] = pose
    return poses


def read_betas(path: Path) -> NDArray[np.float64]:
    """(10,) hand shape of a subject."""
    return numbers(path, read_yaml(path), 'betas', (10,))
