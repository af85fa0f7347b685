"""HOI4D sequences as annotated frames: a moving head-worn RGB-D camera and up to two hands."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.datasets.hoi4d_layout import FRAME_RATE, HOI4DLayout
from hand3r_lab.datasets.hoi4d_poses import pose_files, read_camera_log, read_camera_matrix, read_hand_pose
from hand3r_lab.datasets.mano_annotations import AnnotationModel
from hand3r_lab.datasets.samples import AnnotatedFrame, AnnotatedHand, CorruptSampleError
from hand3r_lab.datasets.videos import DecodedFrames, VideoFrames, open_frames
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide

PUBLISHED_SIZE = (1920, 1080)
"""Pixels that the camera matrices and ``kps2D`` are for."""

COLOR_VIDEO, DEPTH_VIDEO = 'image.mp4', 'depth_video.avi'


class VideoPool:
    """Keeps the videos used last open, and no more: a decoder holds memory, opening a file takes time."""

    def __init__(self, most: int = 8) -> None:
        self.most = most
        self._open: OrderedDict[Path, VideoFrames] = OrderedDict()

    def use(self, frames: DecodedFrames | VideoFrames) -> None:
        """Notes that ``frames`` is about to be read and closes the one not used for longest."""
        if not isinstance(frames, VideoFrames):
            return
        self._open[frames.path] = frames
        self._open.move_to_end(frames.path)
        while len(self._open) > self.most:
            _, oldest = self._open.popitem(last=False)
            oldest.close()


class HOI4DSequence:
    """One recording.

    Raises:
        CorruptSampleError: the colour video or the camera matrix is missing or damaged.
    """

    frame_rate = FRAME_RATE

    def __init__(self, layout: HOI4DLayout, name: str, model: AnnotationModel, pool: VideoPool) -> None:
        self.name = name
        self.model = model
        self._pool = pool
        self.color = open_frames(layout.video_folder(name, 'align_rgb'), COLOR_VIDEO, '.jpg', FRAME_RATE)
        self._depth_folder = layout.video_folder(name, 'align_depth')
        self._depth: DecodedFrames | VideoFrames | None = None
        self.camera_matrix = read_camera_matrix(layout.intrinsics_file(name))
        log = layout.camera_log(name)
        self.T_world_camera: NDArray[np.float64] | None = read_camera_log(log) if log.exists() else None
        self.poses = {side: pose_files(layout.hand_pose_folder(name, side)) for side in HandSide}
        self._size: tuple[int, int] | None = None

    @property
    def has_camera_path(self) -> bool:
        """Whether every frame has a camera pose."""
        return self.T_world_camera is not None and len(self.T_world_camera) >= len(self)

    def __len__(self) -> int:
        return len(self.color)

    def labelled_frames(self) -> list[int]:
        """Frames with a pose file of either hand."""
        return sorted({index for files in self.poses.values() for index in files if index < len(self)})

    def hands(self, index: int) -> tuple[AnnotatedHand, ...]:
        """The annotated hands of a frame; empty where it has no pose file."""
        if not any(index in files for files in self.poses.values()):
            return ()
        if self._size is None:
            image = self._read_color(index)
            self._size = (image.shape[1], image.shape[0])
        return self._hands(index, self.intrinsics(*self._size))

    def frame(self, index: int, with_depth: bool = True) -> AnnotatedFrame:
        """Image, registered depth, camera pose and hands of a frame."""
        image = self._read_color(index)
        height, width = image.shape[:2]
        intrinsics = self.intrinsics(width, height)
        depth = None
        if with_depth:
            frames = self._depth_frames()
            self._pool.use(frames)
            depth = frames.read(index)
            if depth.shape != image.shape[:2]:
                raise CorruptSampleError(self._depth_folder, f'depth is {depth.shape}, colour {image.shape[:2]}')
        known = self.T_world_camera is not None and index < len(self.T_world_camera)
        T_world_camera = self.T_world_camera[index] if self.T_world_camera is not None and known else None
        return AnnotatedFrame(image, depth, intrinsics, T_world_camera, self._hands(index, intrinsics))

    def intrinsics(self, width: int, height: int) -> Intrinsics:
        """The camera of images of this size; the published matrix is for 1920 x 1080."""
        K = self.camera_matrix
        published = Intrinsics(K[0, 0], K[1, 1], K[0, 2], K[1, 2], *PUBLISHED_SIZE)
        return published.resized(width, height)

    def _read_color(self, index: int) -> NDArray[np.uint8]:
        self._pool.use(self.color)
        return self.color.read(index)

    def _depth_frames(self) -> DecodedFrames | VideoFrames:
        if self._depth is None:
            self._depth = open_frames(self._depth_folder, DEPTH_VIDEO, '.png', FRAME_RATE)
        return self._depth

    def _hands(self, index: int, intrinsics: Intrinsics) -> tuple[AnnotatedHand, ...]:
        hands = []
        for side, files in self.poses.items():
            if index not in files:
                continue
            pose = read_hand_pose(files[index])
            hand = self.model.hand(side, pose.axis_angle, pose.betas, pose.translation, intrinsics)
            hands.append(hand)
        return tuple(hands)


def open_sequences(
    root: Path, split: str, model: AnnotationModel
) -> tuple[list[HOI4DSequence], list[CorruptSampleError]]:
    """The sequences of a split that can be opened, and why the others cannot."""
    layout = HOI4DLayout(root)
    pool = VideoPool()
    opened, refused = [], []
    for name in layout.split(split):
        try:
            opened.append(HOI4DSequence(layout, name, model, pool))
        except CorruptSampleError as error:
            refused.append(error)
    return opened, refused
