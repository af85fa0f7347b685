"""Where HOI4D keeps things: the released archives, side by side or unpacked into one folder (docs/datasets.md).

``[HOI4D_release/]<sequence>/align_rgb/image.mp4`` and ``align_depth/depth_video.avi``,
``[HOI4D_annotations/]<sequence>/3Dseg/output.log``, ``[handpose/]refinehandpose_right|left/<sequence>/<n>.pickle`` and
``camera_params/<camera>/intrin.npy``, with ``<sequence>`` = ``<camera>/H*/C*/N*/S*/s*/T*``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hand3r_lab.datasets.samples import DataSetError
from hand3r_ros.hand_model.sides import HandSide

FRAME_RATE = 15.0
RELEASE_LIST, TEST_LIST = 'release.txt', 'testset.txt'

_CAMERA = re.compile(r'ZY2021080000\d')
_LEVELS = ('H', 'C', 'N', 'S', 's', 'T')
_SEQUENCE = re.compile(r'ZY2021080000\d/H\d+/C\d+/N\d+/S(\d+)/s\d+/T\d+')
_RELEASE_FOLDERS = ('', 'HOI4D_release')
_ANNOTATION_FOLDERS = ('', 'HOI4D_annotations', 'HOI4D_release')
_HAND_POSE_FOLDERS = ('handpose', '', 'HOI4D_Hand_pose')
_HAND_POSE_NAMES = {
    HandSide.RIGHT: ('refinehandpose_right', 'handpose_right_hand', 'handpose_right'),
    HandSide.LEFT: ('refinehandpose_left', 'handpose_left_hand', 'handpose_left'),
}
_CAMERA_FOLDERS = ('camera_params', '')
_LIST_FOLDERS = ('', 'HOI4D-Instructions')


@dataclass(frozen=True)
class ReleaseLists:
    """The two lists of sequences that the authors publish; the test set has no public annotations."""

    released: frozenset[str]
    test: frozenset[str]

    @property
    def shared(self) -> tuple[str, ...]:
        """Sequences that stand in both (31 in the published lists): no honest split can use them."""
        return tuple(sorted(self.released & self.test))


class HOI4DLayout:
    """The folder of a (possibly partial) HOI4D download.

    Raises:
        DataSetError: the folder has no camera folder with sequences.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not self.sequences:
            raise DataSetError(
                f'{root} has no HOI4D sequence such as ZY20210800001/H1/C1/N19/S100/s02/T1, neither directly nor '
                f'in HOI4D_release'
            )

    @cached_property
    def sequences(self) -> tuple[str, ...]:
        """Names of the sequences with a video or decoded images."""
        names: set[str] = set()
        for folder in _RELEASE_FOLDERS:
            names |= set(_sequences_below(self.root / folder))
        return tuple(sorted(names))

    @cached_property
    def lists(self) -> ReleaseLists | None:
        """The authors' lists, when they lie in the root or in HOI4D-Instructions below it."""
        for folder in _LIST_FOLDERS:
            files = [self.root / folder / name for name in (RELEASE_LIST, TEST_LIST)]
            if all(file.is_file() for file in files):
                return ReleaseLists(*(frozenset(_listed(file)) for file in files))
        return None

    def video_folder(self, sequence: str, kind: str) -> Path:
        """``align_rgb`` or ``align_depth`` of a sequence."""
        return _existing([self.root / folder / sequence / kind for folder in _RELEASE_FOLDERS])

    def camera_log(self, sequence: str) -> Path:
        """The camera path of a sequence."""
        return _existing([self.root / folder / sequence / '3Dseg' / 'output.log' for folder in _ANNOTATION_FOLDERS])

    def hand_pose_folder(self, sequence: str, side: HandSide) -> Path:
        """The pickles of one hand; the refined poses where there are both kinds."""
        names = _HAND_POSE_NAMES[side]
        return _existing([self.root / folder / name / sequence for name in names for folder in _HAND_POSE_FOLDERS])

    def intrinsics_file(self, sequence: str) -> Path:
        """The camera matrix of the camera that took a sequence."""
        camera = sequence.partition('/')[0]
        return _existing([self.root / folder / camera / 'intrin.npy' for folder in _CAMERA_FOLDERS])

    def split(self, name: str) -> list[str]:
        """Sequences of 'train', 'val', 'test' or 'all'.

        The authors' test set has no public annotations and the paper behind this project names no split, so this one is
        ours: whole rooms are held out, those with numbers ending in 0 for testing and in 5 for validation. Sequences
        that stand in both published lists are in no part.

        Raises:
            DataSetError: there is no such part.
        """
        if name == 'all':
            return list(self.sequences)
        if name not in ('train', 'val', 'test'):
            raise DataSetError(f'split of HOI4D must be train, val, test or all, got {name!r}')
        shared = set(self.lists.shared) if self.lists else set()
        return [sequence for sequence in self.sequences if split_of(sequence) == name and sequence not in shared]


def split_of(sequence: str) -> str:
    """'train', 'val' or 'test' by the room's number."""
    match = _SEQUENCE.fullmatch(sequence)
    if match is None:
        raise DataSetError(f'{sequence!r} is not the name of a HOI4D sequence')
    return {0: 'test', 5: 'val'}.get(int(match.group(1)) % 10, 'train')


def has_camera_folder(root: Path) -> bool:
    """Whether a folder looks like HOI4D at first sight."""
    return any(
        _CAMERA.fullmatch(path.name)
        for folder in _RELEASE_FOLDERS
        if (root / folder).is_dir()
        for path in (root / folder).iterdir()
    )


def _sequences_below(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and _CAMERA.fullmatch(path.name)]
    for letter in _LEVELS:
        level = re.compile(rf'{letter}\d+')
        found = [child for path in found for child in path.iterdir() if level.fullmatch(child.name) and child.is_dir()]
    return [path.relative_to(folder).as_posix() for path in found if _has_video_folder(path)]


def _has_video_folder(path: Path) -> bool:
    return (path / 'align_rgb').is_dir() or (path / 'align_depth').is_dir()


def _listed(file: Path) -> list[str]:
    lines = file.read_text(encoding='utf-8', errors='replace').splitlines()
    return [line.strip().strip('/') for line in lines if line.strip()]


def _existing(candidates: list[Path]) -> Path:
    """The first that exists, else the first, so that an error names the usual place."""
    return next((path for path in candidates if path.exists()), candidates[0])
