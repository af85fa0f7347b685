"""Writes a miniature of HOI4D in its published layout from a rendered scene, so that every label is exactly known.

Three sequences of the same recording: one complete, one without hand poses, one that stands in both lists.
Run as a script to look at one: ``python test/lab/datasets/miniature_hoi4d.py FOLDER``.
"""

from __future__ import annotations

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from miniature_dexycb import annotated_keypoints
from miniature_mano import rest_root
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.sequence import HandTruth, RenderedFrame, SceneConfig, Sequence
from hand3r_ros.geometry import project_points
from hand3r_ros.hand_model.sides import HandSide

FRAMES, WIDTH, HEIGHT = 8, 480, 270
COMPLETE = 'ZY20210800001/H1/C1/N19/S101/s02/T1'
WITHOUT_HANDS = 'ZY20210800001/H1/C2/N08/S105/s01/T2'
SHARED = 'ZY20210800001/H2/C5/N11/S110/s03/T1'
ABSENT = 'ZY20210800004/H4/C9/N40/S301/s01/T1'
SEQUENCES = (COMPLETE, WITHOUT_HANDS, SHARED)
POSE_FOLDERS = {HandSide.RIGHT: 'refinehandpose_right', HandSide.LEFT: 'refinehandpose_left'}


@dataclass(frozen=True)
class HOI4DMiniature:
    root: Path
    truth: list[RenderedFrame]


def write_hoi4d(root: Path) -> list[RenderedFrame]:
    """The miniature's files; returns the rendered truth of every frame."""
    config = SceneConfig(WIDTH, HEIGHT, FRAMES, 5.0, 'egocentric', 'both', effects=False)
    sequence = Sequence(3, config)
    frames = [sequence.frame(index) for index in range(FRAMES)]
    for name in SEQUENCES:
        write_videos(root / 'HOI4D_release' / name, frames)
        log = root / 'HOI4D_annotations' / name / '3Dseg' / 'output.log'
        log.parent.mkdir(parents=True)
        log.write_text(camera_log([frame.T_world_camera for frame in frames]))
        if name != WITHOUT_HANDS:
            write_hand_poses(root / 'handpose', name, frames)
    camera = root / 'camera_params' / 'ZY20210800001'
    camera.mkdir(parents=True)
    np.save(camera / 'intrin.npy', frames[0].intrinsics.resized(1920, 1080).matrix())
    (root / 'release.txt').write_text('\n'.join([*SEQUENCES, ABSENT]) + '\n')
    (root / 'testset.txt').write_text(SHARED + '\n')
    return frames


def write_videos(folder: Path, frames: list[RenderedFrame]) -> None:
    for name in ('align_rgb', 'align_depth'):
        (folder / name).mkdir(parents=True)
    size = (WIDTH, HEIGHT)
    color = cv2.VideoWriter(str(folder / 'align_rgb/image.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 15.0, size)
    sixteen_bit = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    depth_file = str(folder / 'align_depth/depth_video.avi')
    depth = cv2.VideoWriter(depth_file, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*'FFV1'), 15.0, size, sixteen_bit)
    for frame in frames:
        color.write(np.ascontiguousarray(frame.image[..., ::-1]))
        depth.write(millimetres(frame))
    color.release()
    depth.release()


def write_decoded(folder: Path, frames: list[RenderedFrame]) -> None:
    """What the published decode script makes of the videos."""
    for index, frame in enumerate(frames):
        color = np.ascontiguousarray(frame.image[..., ::-1])
        cv2.imwrite(str(folder / f'align_rgb/{index:05d}.jpg'), color, [cv2.IMWRITE_JPEG_QUALITY, 95])
        cv2.imwrite(str(folder / f'align_depth/{index:05d}.png'), millimetres(frame))


def millimetres(frame: RenderedFrame) -> np.ndarray:
    return np.rint(frame.depth * 1000.0).astype(np.uint16)


def camera_log(poses: list[np.ndarray]) -> str:
    blocks = []
    for index, pose in enumerate(poses):
        rows = '\n'.join(' '.join(f'{value:.12f}' for value in row) for row in pose)
        blocks.append(f'{index} {index} {index + 1}\n{rows}\n')
    return ''.join(blocks)


def write_hand_poses(folder: Path, name: str, frames: list[RenderedFrame]) -> None:
    for index, frame in enumerate(frames):
        for hand in frame.hands:
            file = folder / POSE_FOLDERS[hand.side] / name / f'{index}.pickle'
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pickle.dumps(hand_pose(hand, frame), protocol=2))


def hand_pose(hand: HandTruth, frame: RenderedFrame) -> dict[str, np.ndarray]:
    full = frame.intrinsics.resized(1920, 1080)
    pose = {
        'poseCoeff': Rotation.from_matrix(hand.rotations).as_rotvec().ravel(),
        'beta': hand.betas,
        'trans': hand.wrist_camera - rest_root(hand.side, hand.betas),
        'kps2D': project_points(annotated_keypoints(hand), full),
    }
    return {name: array.astype(np.float32) for name, array in pose.items()}


if __name__ == '__main__':
    write_hoi4d(Path(sys.argv[1]))
