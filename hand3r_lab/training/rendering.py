"""Fills a rendered data set: worker processes draw sequences and write their rows in place (resumable)."""

from __future__ import annotations

import math
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_lab.scenes.hands import HandMotion
from hand3r_lab.scenes.sequence import HandTruth, RenderedFrame, SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_lab.training.datasets import IMAGE_MEAN, IMAGE_STD
from hand3r_lab.training.rendered_data import CROP_MARGIN, RenderedData, RenderedDataLayout
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.crop import hand_crop
from hand3r_ros.online.preparation import ImageGeometry, nearest_depth, resize_and_crop

CAMERA_SCALE = 10 / 7  # width of the camera's image over that of the scene image: 320 pixels for preset tiny
ROWS_AT_A_TIME = 128  # that a process is given: neighbours share a pool of textures and poses, which takes 3 s to make
FRAMES_PER_SECOND = 2.0  # low, so that a clip of a few frames holds visible camera motion


@dataclass(frozen=True)
class RenderingJob:
    """One sequence to draw."""

    directory: Path
    row: int


def render_dataset(directory: Path, layout: RenderedDataLayout, processes: int) -> None:
    """Draws all sequences of ``layout`` that are not there yet."""
    data = RenderedData.create(directory, layout)
    missing = np.flatnonzero(~np.asarray(data.arrays['done']))
    jobs = [RenderingJob(directory, int(row)) for row in missing]
    together = min(ROWS_AT_A_TIME, math.ceil(len(jobs) / processes)) or 1
    context = multiprocessing.get_context('spawn')
    with context.Pool(processes) as pool:
        drawn = pool.imap_unordered(render_row, jobs, chunksize=together)
        for _ in tqdm(drawn, total=len(jobs), desc=str(directory), mininterval=5.0):
            pass


def render_row(job: RenderingJob) -> None:
    """Draws one sequence and marks its row as done."""
    draw_sequence(RenderedData.open(job.directory, writable=True), job.row, job.row)


def scene_config(layout: RenderedDataLayout, number: int) -> SceneConfig:
    """Size and content of sequence ``number`` of a split."""
    geometry = camera_geometry(layout)
    return SceneConfig(
        width=geometry.source_width,
        height=geometry.source_height,
        frames=layout.frames,
        fps=FRAMES_PER_SECOND,
        hands='both' if number % 2 else 'mixed',  # scenes without hands teach the hand stream nothing
    )


def draw_sequence(data: RenderedData, row: int, number: int) -> None:
    """Draws sequence ``number`` of the split of ``data`` into a row and marks it as done."""
    layout, arrays = data.layout, data.arrays
    geometry = camera_geometry(layout)
    sequence = Sequence(sequence_seed(layout.split, number), scene_config(layout, number))
    camera = geometry.intrinsics_to_network(sequence.intrinsics)
    arrays['intrinsics'][row] = (camera.fx, camera.fy, camera.cx, camera.cy)
    arrays['table_height'][row] = sequence.table_height
    for index in range(layout.frames):
        frame = sequence.frame(index)
        arrays['image'][row, index] = resize_and_crop(frame.image, geometry)
        arrays['depth'][row, index] = nearest_depth(frame.depth, geometry)
        arrays['T_world_camera'][row, index] = frame.T_world_camera
        for hand in frame.hands:
            write_hand(data, row, index, frame, hand, geometry)
    arrays['done'][row] = True


def camera_rotations(sequence: Sequence, motion: HandMotion) -> NDArray[np.float64]:
    """(T, 16, 3, 3) rotations of a hand of the plan as rows hold them: right-looking, orientation to camera axes."""
    rotations = motion.rotations.copy()
    is_right = motion.side == HandSide.RIGHT
    if not is_right:
        rotations = mirror_rotations(rotations)
    rotations[:, 0] = sequence.T_world_camera[:, :3, :3].swapaxes(-1, -2) @ rotations[:, 0]
    return rotations if is_right else mirror_rotations(rotations)


def camera_geometry(layout: RenderedDataLayout) -> ImageGeometry:
    """How the camera's images become the network's: as on the robot, from 4:3 images of ordinary size.

    Raises:
        ValueError: the layout is not what a 4:3 image becomes.

    """
    width = round(layout.width * CAMERA_SCALE)
    geometry = ImageGeometry.for_image(width, round(width * 3 / 4), layout.width)
    if (geometry.width, geometry.height) != (layout.width, layout.height):
        raise ValueError(
            f'a 4:3 image becomes {geometry.width} x {geometry.height} pixels, not {layout.width} x {layout.height}'
        )
    return geometry


def write_hand(
    data: RenderedData, row: int, index: int, frame: RenderedFrame, hand: HandTruth, geometry: ImageGeometry
) -> None:
    """Stores one hand in the slot of its side, right-looking."""
    arrays, layout = data.arrays, data.layout
    is_right = hand.side == HandSide.RIGHT
    where = (row, index, int(hand.side))
    if hand.visible_fraction <= 0.0 or not np.isfinite(hand.keypoints_image).all():
        return
    crop = hand_crop(frame.image, hand.box, is_right, layout.rescale * CROP_MARGIN, layout.stored_crop)
    pixels = np.clip((crop.pixels * IMAGE_STD.numpy() + IMAGE_MEAN.numpy()) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    keypoints = (hand.keypoints_image - crop.center) / (crop.size / CROP_MARGIN)
    if not is_right:
        keypoints[:, 0] *= -1.0
    arrays['hand_crop'][where] = pixels.transpose(1, 2, 0)
    arrays['hand_keypoints_crop'][where] = keypoints
    arrays['hand_rotations'][where] = hand.rotations if is_right else mirror_rotations(hand.rotations)
    arrays['hand_betas'][where] = hand.betas
    arrays['hand_wrist'][where] = hand.wrist_camera
    arrays['hand_keypoints'][where] = hand.keypoints_camera
    arrays['hand_box'][where] = geometry.boxes_to_network(hand.box)
    arrays['hand_visible'][where] = hand.visible_fraction
    arrays['hand_valid'][where] = True
