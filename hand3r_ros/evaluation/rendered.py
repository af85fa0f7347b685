"""Accuracy of the whole online pipeline on rendered sequences that training never saw, beside trivial baselines.

The pipeline runs as on the robot: frames one by one, boxes given (as from a detector that never fails), intrinsics
known. Baselines that need an average use the average over the *test* hands themselves, which flatters them.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_ros.checkpoints.locations import find_weights_folder
from hand3r_ros.evaluation import metrics
from hand3r_ros.evaluation.baselines import ZeroedScene, mean_articulation, mean_keypoints
from hand3r_ros.evaluation.report import format_report
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, FrameResult, HandDetection
from hand3r_ros.synthetic.sequence import HandTruth, RenderedFrame, SceneConfig, Sequence
from hand3r_ros.synthetic.splits import sequence_seed

FRAMES_PER_SECOND = 10.0
SMALLEST_VISIBLE = 0.25  # hands hidden more than this say nothing about the hand stream
WORLD_WINDOW = 30  # frames of a W-/WA-MPJPE window


@dataclass
class Samples:
    """Everything measured, one entry per hand, frame or sequence."""

    predicted: list[NDArray] = dataclasses.field(default_factory=list)  # (21, 3) camera frame
    truth: list[NDArray] = dataclasses.field(default_factory=list)
    hands: list[HandTruth] = dataclasses.field(default_factory=list)
    intrinsics: list[Intrinsics] = dataclasses.field(default_factory=list)
    depth: list[tuple[NDArray, NDArray]] = dataclasses.field(default_factory=list)  # predicted, truth (valid pixels)
    cameras: list[tuple[NDArray, NDArray]] = dataclasses.field(default_factory=list)  # (T, 4, 4) each
    world_windows: list[tuple[NDArray, NDArray]] = dataclasses.field(default_factory=list)  # (T, 21, 3) each
    missed: int = 0
    false: int = 0


def evaluate_rendered(
    preset: str, weights_dir: Path | None, sequences: int, frames: int, out: Path | None = None
) -> str:
    """Runs the test set and returns the report; ``out`` also gets it as JSON."""
    torch.set_num_threads(1)
    network, _ = load_network(find_weights_folder(preset, weights_dir), preset)
    network.eval()
    layer = HandLayer(load_open_hand())
    long_side = network.config.image_long_side

    def measure(network: Hand3R, pose_source: str) -> Samples:
        config = ReconstructorConfig(preset=preset, pose_source=pose_source)
        reconstructor = OnlineReconstructor(network, layer, make_detector(config), config)
        return run_sequences(reconstructor, sequences, frames, long_side)

    ours = measure(network, 'network')
    geometric = measure(network, 'geometric')
    zeroed = measure(ZeroedScene.of(network), 'network')
    numbers = {
        'ours': {**hand_numbers(ours.predicted, ours.truth), **scene_numbers(ours)},
        'ours, network pose': {**camera_numbers(ours), **world_numbers(ours)},
        'ours, geometric pose': {**camera_numbers(geometric), **world_numbers(geometric)},
        'ours, zeroed scene': {'C-MPJPE mm': hand_numbers(zeroed.predicted, zeroed.truth)['C-MPJPE mm']},
        **baseline_numbers(ours, layer),
    }
    if out is not None:
        out.write_text(json.dumps(numbers, indent=1))
    return format_report(numbers, sequences, frames)


def run_sequences(reconstructor: OnlineReconstructor, sequences: int, frames: int, long_side: int) -> Samples:
    """Feeds the first ``sequences`` test sequences through the pipeline."""
    samples = Samples()
    scene = SceneConfig(width=640, height=480, frames=frames, fps=FRAMES_PER_SECOND)
    for index in tqdm(range(sequences), desc='test sequences', mininterval=5.0):
        reconstructor.reset('next test sequence')
        run_sequence(reconstructor, Sequence(sequence_seed('test', index), scene), samples, long_side)
    return samples


def run_sequence(reconstructor: OnlineReconstructor, sequence: Sequence, samples: Samples, long_side: int) -> None:
    """One sequence; appends to ``samples``."""
    predicted_cameras, true_cameras = [], []
    tracks: dict[HandSide, list[tuple[NDArray, NDArray]]] = {HandSide.LEFT: [], HandSide.RIGHT: []}
    for index in range(len(sequence)):
        frame = sequence.frame(index)
        visible = [hand for hand in frame.hands if hand.visible_fraction >= SMALLEST_VISIBLE]
        detections = tuple(HandDetection(hand.box, hand.side, 1.0, hand.instance_id) for hand in visible)
        stamp = round(index * 1e9 / FRAMES_PER_SECOND)
        result = reconstructor.process(CameraFrame(frame.image, stamp, frame.intrinsics, detections))
        predicted_cameras.append(result.T_world_camera)
        true_cameras.append(frame.T_world_camera)
        collect_hands(result, frame, visible, samples, tracks)
        samples.depth.append(depth_pair(result, frame, long_side))
    samples.cameras.append((np.stack(predicted_cameras), np.stack(true_cameras)))
    for pairs in tracks.values():
        for start in range(0, len(pairs) - WORLD_WINDOW + 1, WORLD_WINDOW):
            window = pairs[start : start + WORLD_WINDOW]
            samples.world_windows.append((np.stack([p for p, _ in window]), np.stack([t for _, t in window])))


def collect_hands(
    result: FrameResult,
    frame: RenderedFrame,
    visible: list[HandTruth],
    samples: Samples,
    tracks: dict[HandSide, list[tuple[NDArray, NDArray]]],
) -> None:
    """Pairs predicted and true hands by side."""
    by_side = {hand.side: hand for hand in result.hands}
    for truth in visible:
        hand = by_side.pop(truth.side, None)
        if hand is None:
            samples.missed += 1
            continue
        samples.predicted.append(hand.keypoints_camera)
        samples.truth.append(truth.keypoints_camera)
        samples.hands.append(truth)
        samples.intrinsics.append(frame.intrinsics)
        rotation, translation = frame.T_world_camera[:3, :3], frame.T_world_camera[:3, 3]
        tracks[truth.side].append((hand.keypoints_world, truth.keypoints_camera @ rotation.T + translation))
    samples.false += len(by_side)


def depth_pair(result: FrameResult, frame: RenderedFrame, long_side: int) -> tuple[NDArray, NDArray]:
    """Predicted and true depth at the working resolution's pixel centres."""
    geometry = ImageGeometry.for_image(frame.image.shape[1], frame.image.shape[0], long_side)
    truth = at_network_pixels(frame.depth, geometry).reshape(-1)
    return result.points_camera[..., 2].reshape(-1)[::7].copy(), truth[::7].copy()


def at_network_pixels(values: NDArray, geometry: ImageGeometry) -> NDArray:
    """(h, w) values of the source image (H, W), each from the pixel nearest to that of the network's image."""
    v, u = np.indices((geometry.height, geometry.width))
    source = np.rint(geometry.to_source(np.stack([u, v], -1))).astype(int)
    columns, rows = np.moveaxis(source.clip(0, (geometry.source_width - 1, geometry.source_height - 1)), -1, 0)
    return values[rows, columns]


def hand_numbers(predicted: list[NDArray], truth: list[NDArray]) -> dict[str, float]:
    """PA, root-relative and camera-frame errors in millimetres, and AUC."""
    p, t = np.stack(predicted), np.stack(truth)
    aligned = np.stack([metrics.fit_similarity(a, b).apply(a) for a, b in zip(p, t, strict=True)])
    return {
        'PA-MPJPE mm': 1e3 * float(metrics.procrustes_errors(p, t).mean()),
        'MPJPE mm': 1e3 * float(metrics.root_relative_errors(p, t).mean()),
        'C-MPJPE mm': 1e3 * float(metrics.keypoint_errors(p, t).mean()),
        'AUC (PA)': metrics.area_under_curve(aligned, t),
    }


def scene_numbers(samples: Samples) -> dict[str, float]:
    """Depth accuracy over all frames and the hand count."""
    predicted = np.concatenate([p for p, _ in samples.depth])
    relative, within = metrics.depth_errors(predicted, np.concatenate([t for _, t in samples.depth]))
    return {'depth AbsRel': relative, 'depth delta1': within, 'hands': float(len(samples.predicted))}


def camera_numbers(samples: Samples) -> dict[str, float]:
    """Mean trajectory and rotation error over the sequences."""
    errors = [metrics.trajectory_errors(p, t)[:2] for p, t in samples.cameras]
    return {
        'camera ATE cm': 1e2 * float(np.mean([e[0] for e in errors])),
        'camera rotation deg': float(np.rad2deg(np.mean([e[1] for e in errors]))),
    }


def world_numbers(samples: Samples) -> dict[str, float]:
    """W- and WA-MPJPE over windows of 30 frames, millimetres; empty without a long enough track."""
    if not samples.world_windows:
        return {}
    return {
        'W-MPJPE mm': 1e3 * float(np.mean([metrics.world_errors(p, t).mean() for p, t in samples.world_windows])),
        'WA-MPJPE mm': 1e3
        * float(np.mean([metrics.world_aligned_errors(p, t).mean() for p, t in samples.world_windows])),
    }


def baseline_numbers(samples: Samples, layer: HandLayer) -> dict[str, dict[str, float]]:
    """What one gets without looking: mean pose, true rotation + mean pose, constant depth, static camera."""
    truth = np.stack(samples.truth)
    mean_pose = mean_keypoints(samples.hands, truth)
    true_rotation = mean_articulation(samples.hands, layer)
    relative = np.stack(samples.predicted) - np.stack(samples.predicted)[:, :1]
    constant = constant_depth_wrists(samples)
    depth_truth = np.concatenate([t for _, t in samples.depth])
    middle = float(np.median(depth_truth[depth_truth > 0.0]))
    absolute, within = metrics.depth_errors(np.full_like(depth_truth, middle), depth_truth)
    still = [(np.tile(t[0], (len(t), 1, 1)), t) for _, t in samples.cameras]
    return {
        'mean pose': hand_numbers(list(mean_pose + constant[:, None]), samples.truth),
        'true rotation + mean pose': hand_numbers(list(true_rotation + constant[:, None]), samples.truth),
        'constant depth': {
            'C-MPJPE mm': hand_numbers(list(relative + constant[:, None]), samples.truth)['C-MPJPE mm'],
            'depth AbsRel': absolute,
            'depth delta1': within,
        },
        'static camera': camera_numbers(Samples(cameras=still)),
    }


def constant_depth_wrists(samples: Samples) -> NDArray:
    """(N, 3) wrists at the mean true depth, on the ray through the true wrist pixel."""
    truth = np.stack(samples.truth)
    depth = float(truth[:, 0, 2].mean())
    return truth[:, 0] / truth[:, 0, 2:] * depth
