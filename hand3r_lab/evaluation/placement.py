"""How well hands are placed without a translation head: aligned to the scene, against HaMeR's crop camera alone.

No network takes part. Rendered test sequences give the truth; it is disturbed the way the published networks err
(``placement_noise``), and ``online.placement`` places the hands from it as it does on the robot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_lab.cpu_threads import torch_threads
from hand3r_lab.evaluation import metrics
from hand3r_lab.evaluation.placement_noise import (
    EXACT_POINTS,
    HandNoise,
    PointmapNoise,
    disturbed_hands,
    disturbed_points,
)
from hand3r_lab.evaluation.placement_report import format_placement, placement_numbers
from hand3r_lab.evaluation.samples import at_network_pixels
from hand3r_lab.evaluation.truth import FRAMES_PER_SECOND
from hand3r_lab.scenes.instances import held_instance
from hand3r_lab.scenes.sequence import HandTruth, RenderedFrame, SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import PlacementConfig
from hand3r_ros.online.intrinsics import estimate_focal
from hand3r_ros.online.placement import SceneView, apparent_wrists, crop_camera_wrists, place_hands
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.results import PlacementSource

STRIDE = 6
"""Every so many frames one is looked at: neighbouring frames show the same thing."""

LEAST_HELD_PIXELS = 50
"""Of the source image, for a hand to count as holding something in view."""

CASES: dict[str, tuple[HandNoise, PointmapNoise]] = {
    'exact points': (HandNoise(), EXACT_POINTS),
    'noisy points': (HandNoise(), PointmapNoise()),
    'noisy points, scale 10 %': (HandNoise(), PointmapNoise(scale=0.1)),
    'exact points, hands 15 % too large': (HandNoise(size_error=0.15), EXACT_POINTS),
    'exact points, hands 15 % too small': (HandNoise(size_error=-0.15), EXACT_POINTS),
    'exact points, exact size and crop camera': (
        HandNoise(betas=0.0, camera_scale=0.0, camera_shift=0.0),
        EXACT_POINTS,
    ),
}
"""What is measured: noise of the hands, noise of the pointmap."""


@dataclass(frozen=True)
class PlacedSample:
    """One hand, placed in several ways; errors are C-MPJPE in metres."""

    case: str
    hidden: float  # share of the hand that objects, the other hand or the image border hide
    distance: float  # m along the optical axis
    holding: bool
    crop_camera: float  # HaMeR's formula
    apparent: float  # the same crop camera in true perspective
    aligned: float  # the place that the online pipeline gives
    on_scene: bool  # False: it fell back to the apparent place
    deviation: float  # m along the line of sight, as the placement states it
    off: float  # m, signed error of the aligned hand's middle along the optical axis
    procrustes: float  # PA-MPJPE of the disturbed hand: how much noise there was
    root_relative: float  # MPJPE of the disturbed hand


@torch_threads(1)
def evaluate_placement(sequences: int, frames: int, out: Path | None = None) -> str:
    """Measures on the first test sequences and returns the report; ``out`` also gets the numbers as JSON."""
    layer = HandLayer(load_open_hand())
    samples: list[PlacedSample] = []
    focals: dict[str, list[float]] = {}
    for index in tqdm(range(sequences), desc='test sequences', mininterval=5.0):
        for number, frame in _frames(index, frames):
            seed = [sequence_seed('test', index), number]
            samples += placed_samples(frame, layer, seed)
            for case, error in focal_errors(frame, seed).items():
                focals.setdefault(case, []).append(error)
    numbers = placement_numbers(samples, focals)
    if out is not None:
        out.write_text(json.dumps(numbers, indent=1))
    return format_placement(numbers, sequences, STRIDE)


def placed_samples(
    frame: RenderedFrame, layer: HandLayer, seed: list[int], cases: dict[str, tuple[HandNoise, PointmapNoise]] = CASES
) -> list[PlacedSample]:
    """Every hand of a frame in every case; hands without a visible pixel are left out (nobody would detect them)."""
    hands = [hand for hand in frame.hands if hand.visible_fraction > 0.0]
    if not hands:
        return []
    geometry = network_geometry(frame)
    camera = geometry.intrinsics_to_network(frame.intrinsics)
    depth = at_network_pixels(frame.depth, geometry)
    # The same chance in every case: cases differ by the size of the noise alone.
    points = {
        noise: disturbed_points(depth, camera, noise, np.random.default_rng([*seed, 2]))
        for noise in dict.fromkeys(noise for _, noise in cases.values())
    }
    samples = []
    for case, (hand_noise, point_noise) in cases.items():
        scene = SceneView(points[point_noise][..., 2], camera, frame.intrinsics)
        samples += _placed(case, frame, hands, scene, layer, hand_noise, np.random.default_rng([*seed, 1]))
    return samples


def focal_errors(frame: RenderedFrame, seed: list[int]) -> dict[str, float]:
    """Relative error of the focal length estimated from exact and from noisy points."""
    geometry = network_geometry(frame)
    camera = geometry.intrinsics_to_network(frame.intrinsics)
    depth = at_network_pixels(frame.depth, geometry)
    errors = {}
    for name, noise in (('exact points', EXACT_POINTS), ('noisy points', PointmapNoise())):
        points = disturbed_points(depth, camera, noise, np.random.default_rng([*seed, 3]))
        confidence = np.where(depth > 0.0, 3.0, 1.0)
        errors[name] = estimate_focal(points, confidence, stride=2) / camera.fx - 1.0
    return errors


def network_geometry(frame: RenderedFrame) -> ImageGeometry:
    """How the public checkpoints' preset sees the frame."""
    height, width = frame.image.shape[:2]
    return ImageGeometry.for_image(width, height, preset('full').image_long_side)


def _frames(index: int, frames: int) -> Iterator[tuple[int, RenderedFrame]]:
    scene = SceneConfig(width=640, height=480, frames=frames, fps=FRAMES_PER_SECOND)
    sequence = Sequence(sequence_seed('test', index), scene)
    for number in range(min(2, frames - 1), frames, STRIDE):
        yield number, sequence.frame(number)


def _placed(
    case: str,
    frame: RenderedFrame,
    hands: list[HandTruth],
    scene: SceneView,
    layer: HandLayer,
    noise: HandNoise,
    rng: np.random.Generator,
) -> list[PlacedSample]:
    prediction, crops = disturbed_hands(hands, frame.intrinsics, layer, noise, rng)
    sides = [hand.side for hand in hands]
    is_right = torch.tensor([side == HandSide.RIGHT for side in sides])
    with torch.inference_mode():
        mesh = layer(prediction.rotations, prediction.betas, is_right)
    placed = place_hands(prediction, crops, sides, layer, scene, PlacementConfig(translation='aligned'))
    by_crop_camera = crop_camera_wrists(prediction, crops, is_right, mesh, frame.intrinsics)
    apparent = apparent_wrists(prediction, crops, is_right, mesh, frame.intrinsics)
    relative = mesh.keypoints.double().numpy()
    samples = []
    for i, (truth, hand) in enumerate(zip(hands, placed, strict=True)):
        if hand is None or hand.placement is None:
            continue
        keypoints = truth.keypoints_camera
        held = np.count_nonzero(frame.segmentation == held_instance(truth.side)) >= LEAST_HELD_PIXELS
        samples.append(
            PlacedSample(
                case=case,
                hidden=1.0 - truth.visible_fraction,
                distance=float(keypoints[:, 2].mean()),
                holding=bool(held),
                crop_camera=_error(relative[i] + by_crop_camera[i], keypoints),
                apparent=_error(relative[i] + apparent[i], keypoints),
                aligned=_error(hand.keypoints_camera, keypoints),
                on_scene=hand.placement.source == PlacementSource.SCENE,
                deviation=hand.placement.deviation or 0.0,
                off=float((hand.keypoints_camera - keypoints)[:, 2].mean()),
                procrustes=float(metrics.procrustes_errors(relative[i][None], keypoints[None])[0]),
                root_relative=float(metrics.root_relative_errors(relative[i][None], keypoints[None])[0]),
            )
        )
    return samples


def _error(predicted: NDArray, truth: NDArray) -> float:
    return float(metrics.keypoint_errors(predicted[None], truth[None])[0])
