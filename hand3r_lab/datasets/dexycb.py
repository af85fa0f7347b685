"""DexYCB sequences as annotated frames: eight fixed RGB-D cameras, one hand of either side per sequence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.datasets import dexycb_layout as layout_of
from hand3r_lab.datasets.dexycb_layout import (
    FRAME_RATE,
    HEIGHT,
    SEQUENCES_PER_SUBJECT,
    WIDTH,
    DexYCBLayout,
    SequenceMeta,
)
from hand3r_lab.datasets.dexycb_setups import setup_part
from hand3r_lab.datasets.files import numbers, read_color, read_depth, read_npz
from hand3r_lab.datasets.mano_annotations import AnnotationModel
from hand3r_lab.datasets.samples import AnnotatedFrame, AnnotatedHand, CorruptSampleError, DataSetError
from hand3r_ros.geometry import Intrinsics

LABEL_ARRAYS = ('seg', 'pose_y', 'pose_m', 'joint_3d', 'joint_2d')
HAND_LABEL = 255
MISSING = -1.0


@dataclass(frozen=True, eq=False)
class DexYCBLabel:
    """One ``labels_*.npz``; the hand's arrays are None where the annotation is missing."""

    segmentation: NDArray[np.uint8]  # (480, 640): 0, 1..21 objects, 255 hand
    object_poses: NDArray[np.float64]  # (n, 3, 4) object to camera
    pose: NDArray[np.float64] | None  # (51,) global axis-angle, 45 principal components, translation m
    keypoints_camera: NDArray[np.float64] | None  # (21, 3) m
    keypoints_image: NDArray[np.float64] | None  # (21, 2) px

    @property
    def has_hand(self) -> bool:
        """Whether the hand is annotated."""
        return self.pose is not None

    @property
    def hand_pixels(self) -> int:
        """Visible pixels of the hand; labels exist for hands outside of the view too."""
        return int(np.count_nonzero(self.segmentation == HAND_LABEL))


def read_label(path: Path) -> DexYCBLabel:
    """Reads and checks one label file.

    Raises:
        CorruptSampleError: it is missing, damaged, or its arrays have other shapes than published.
    """
    arrays = read_npz(path, LABEL_ARRAYS)
    segmentation = arrays['seg']
    if segmentation.shape != (HEIGHT, WIDTH) or segmentation.dtype != np.uint8:
        raise CorruptSampleError(
            path, f'seg must be uint8 {(HEIGHT, WIDTH)}, is {segmentation.dtype} {segmentation.shape}'
        )
    pose = numbers(path, arrays, 'pose_m', (51,))
    keypoints_camera = numbers(path, arrays, 'joint_3d', (21, 3))
    keypoints_image = numbers(path, arrays, 'joint_2d', (21, 2))
    objects = numbers(path, arrays, 'pose_y', (len(np.atleast_1d(arrays['pose_y'])), 3, 4))
    if not pose.any() or (keypoints_camera == MISSING).all():
        return DexYCBLabel(segmentation, objects, None, None, None)
    if keypoints_camera[:, 2].min() <= 0.0:
        raise CorruptSampleError(path, 'joint_3d lies behind the camera')
    return DexYCBLabel(segmentation, objects, pose, keypoints_camera, keypoints_image)


class DexYCBSequence:
    """One camera's view of one sequence."""

    has_camera_path = True
    frame_rate = FRAME_RATE

    def __init__(self, layout: DexYCBLayout, folder: Path, serial: str, model: AnnotationModel) -> None:
        self.meta: SequenceMeta = layout.meta(folder)
        if serial not in self.meta.serials:
            raise CorruptSampleError(folder / 'meta.yml', f'does not list the camera {serial}')
        self.name = f'{folder.parent.name}/{folder.name}/{serial}'
        self.folder = folder / serial
        self.model = model
        self.betas = layout_of.read_betas(layout.mano_file(self.meta.mano_calibration))
        self.intrinsics: Intrinsics = layout_of.read_intrinsics(layout.intrinsics_file(serial))
        poses = layout.camera_poses(self.meta.extrinsics)
        if serial not in poses:
            extrinsics = layout.extrinsics_file(self.meta.extrinsics)
            raise CorruptSampleError(extrinsics, f'has no pose of the camera {serial}')
        self.T_world_camera = poses[serial]

    def __len__(self) -> int:
        return self.meta.frames

    def label(self, index: int) -> DexYCBLabel:
        """The label of a frame as stored."""
        return read_label(self.folder / layout_of.label_name(index))

    def hands(self, index: int) -> tuple[AnnotatedHand, ...]:
        """The annotated hand, or nothing where its label is missing or none of it is seen."""
        label = self.label(index)
        if label.pose is None or not label.hand_pixels:
            return ()
        fingers = self.model.axis_angle_from_components(label.pose[3:48], self.meta.side)
        hand = self.model.hand(
            self.meta.side,
            np.concatenate([label.pose[:3], fingers]),
            self.betas,
            label.pose[48:],
            self.intrinsics,
            label.keypoints_camera,
            label.keypoints_image,
        )
        return (hand,)

    def frame(self, index: int, with_depth: bool = True) -> AnnotatedFrame:
        """Image, registered depth, camera and hand of a frame."""
        color = self.folder / layout_of.color_name(index)
        image = read_color(color)
        if image.shape != (HEIGHT, WIDTH, 3):
            raise CorruptSampleError(color, f'must have {WIDTH} x {HEIGHT} pixels, has shape {image.shape}')
        depth = None
        if with_depth:
            path = self.folder / layout_of.depth_name(index)
            depth = read_depth(path)
            if depth.shape != image.shape[:2]:
                raise CorruptSampleError(path, f'must have {WIDTH} x {HEIGHT} pixels, has shape {depth.shape}')
        return AnnotatedFrame(image, depth, self.intrinsics, self.T_world_camera, self.hands(index))


def chosen_views(layout: DexYCBLayout, split: str) -> list[tuple[Path, str]]:
    """Sequence folder and serial of every view of a split.

    Args:
        layout: the data set.
        split: 's0/train', 's3/test', ... or 'all' for whatever is there.

    Raises:
        DataSetError: a subject of the split has not all of its sequences, so positions among them mean nothing.
    """
    if split == 'all':
        everything = (folder for folders in layout.sequences.values() for folder in folders)
        return [(folder, serial) for folder in everything for serial in layout_of.SERIALS if (folder / serial).is_dir()]
    setup, _, part = split.partition('/')
    chosen = setup_part(setup, part)
    views = []
    for subject in chosen.subjects:
        folders = layout.sequences.get(subject, [])
        if len(folders) != SEQUENCES_PER_SUBJECT:
            raise DataSetError(
                f'{layout.root}: subject {subject:02d} has {len(folders)} of {SEQUENCES_PER_SUBJECT} sequences, and '
                f"the setup {setup} counts positions among all of them; fetch the rest, or use the split 'all'"
            )
        views += [(folders[position], serial) for position in sorted(chosen.positions) for serial in chosen.serials]
    return views


def open_sequences(
    root: Path, split: str, model: AnnotationModel
) -> tuple[list[DexYCBSequence], list[CorruptSampleError]]:
    """The views of a split that can be opened, and why the others cannot."""
    layout = DexYCBLayout(root)
    opened, refused = [], []
    for folder, serial in chosen_views(layout, split):
        try:
            opened.append(DexYCBSequence(layout, folder, serial, model))
        except CorruptSampleError as error:
            refused.append(error)
    return opened, refused
