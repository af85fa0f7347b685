"""Fills a rendered data set: worker processes draw sequences and write their rows in place (resumable)."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.crop import hand_crop
from hand3r_ros.synthetic.sequence import HandTruth, RenderedFrame, SceneConfig, Sequence
from hand3r_ros.synthetic.splits import sequence_seed
from hand3r_ros.training.datasets import IMAGE_MEAN, IMAGE_STD
from hand3r_ros.training.rendered_data import CROP_MARGIN, RenderedData, RenderedDataLayout

OVERSAMPLING = 2  # sequences are drawn this much larger than the scene image, then shrunk; hand crops see the full size
FRAMES_PER_SECOND = 4.0  # low, so that a clip of a few frames holds visible camera motion


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
    context = multiprocessing.get_context('spawn')
    with context.Pool(processes) as pool:
        for _ in tqdm(pool.imap_unordered(render_row, jobs), total=len(jobs), desc=str(directory), mininterval=5.0):
            pass


def render_row(job: RenderingJob) -> None:
    """Draws one sequence and marks its row as done."""
    data = RenderedData.open(job.directory, writable=True)
    layout, arrays = data.layout, data.arrays
    config = SceneConfig(
        width=layout.width * OVERSAMPLING,
        height=layout.height * OVERSAMPLING,
        frames=layout.frames,
        fps=FRAMES_PER_SECOND,
        hands='both' if job.row % 2 else 'mixed',  # scenes without hands teach the hand stream nothing
    )
    sequence = Sequence(sequence_seed(layout.split, job.row), config)
    for index in range(layout.frames):
        frame = sequence.frame(index)
        if index == 0:
            small = frame.intrinsics.resized(layout.width, layout.height)
            arrays['intrinsics'][job.row] = (small.fx, small.fy, small.cx, small.cy)
        arrays['image'][job.row, index] = cv2.resize(
            frame.image, (layout.width, layout.height), interpolation=cv2.INTER_AREA
        )
        arrays['depth'][job.row, index] = shrink_depth(frame.depth)
        arrays['T_world_camera'][job.row, index] = frame.T_world_camera
        for hand in frame.hands:
            write_hand(data, job.row, index, frame, hand)
    arrays['done'][job.row] = True
    for array in arrays.values():
        array.flush()  # type: ignore[attr-defined]


def shrink_depth(depth: NDArray[np.floating]) -> NDArray[np.float32]:
    """Half-size depth: the mean of each 2 x 2 block where it is one surface, its nearest pixel across an edge."""
    height, width = depth.shape
    blocks = depth.reshape(height // 2, 2, width // 2, 2).transpose(0, 2, 1, 3).reshape(height // 2, width // 2, 4)
    known = np.where(blocks > 0.0, blocks, np.inf)
    nearest = known.min(-1)
    one_surface = blocks.max(-1) < 1.05 * nearest
    depth_small = np.where(one_surface & (blocks.min(-1) > 0.0), blocks.mean(-1), nearest)
    return np.where(np.isfinite(depth_small), depth_small, 0.0).astype(np.float32)


def write_hand(data: RenderedData, row: int, index: int, frame: RenderedFrame, hand: HandTruth) -> None:
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
    arrays['hand_box'][where] = (np.asarray(hand.box) + 0.5) / OVERSAMPLING - 0.5
    arrays['hand_visible'][where] = hand.visible_fraction
    arrays['hand_valid'][where] = True
