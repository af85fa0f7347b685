"""Accuracy of the whole online pipeline on rendered sequences that training never saw, beside trivial baselines.

The pipeline runs as on the robot: frames one by one, boxes given (as from a detector that never fails), intrinsics
known. Baselines that need an average use the average over the *test* hands themselves, which flatters them.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from hand3r_ros.checkpoints.locations import find_weights_folder
from hand3r_ros.evaluation.ablations import ZeroedScene, ablated
from hand3r_ros.evaluation.baselines import baseline_numbers
from hand3r_ros.evaluation.numbers import (
    Numbers,
    camera_numbers,
    occlusion_numbers,
    sample_numbers,
    scene_numbers,
    world_numbers,
)
from hand3r_ros.evaluation.outputs import Outputs, check_outputs, write_outputs
from hand3r_ros.evaluation.report import format_report
from hand3r_ros.evaluation.samples import ANY_PIXEL, SMALLEST_VISIBLE, Pipeline, Samples, run_sequences
from hand3r_ros.evaluation.truth import rendered_sequences
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.online.config import MapConfig, ReconstructorConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor

OURS, GEOMETRIC, ZEROED = 'ours, network pose', 'ours, geometric pose', 'ours, zeroed scene'
EVERY_HAND = 'ours'
"""The pipeline that is also given the boxes of nearly hidden hands; it fills the occlusion bins and nothing else."""


def evaluate_rendered(
    preset: str,
    weights_dir: Path | None,
    sequences: int,
    frames: int,
    out: Path | None = None,
    ablations: bool = False,
    outputs: Outputs | None = None,
) -> str:
    """Runs the test set and returns the report; ``out`` gets it as JSON, ``outputs`` says what else is written."""
    outputs = outputs or Outputs()
    check_outputs(outputs, out)
    torch.set_num_threads(1)
    network, _ = load_network(find_weights_folder(preset, weights_dir), preset)
    layer = HandLayer(load_open_hand())
    pipelines = make_pipelines(network.eval(), layer, preset, ablations)
    progress = tqdm(rendered_sequences(sequences, frames), total=sequences, desc='test sequences', mininterval=5.0)
    samples = run_sequences(pipelines, progress)
    numbers = all_numbers(samples, layer)
    text = format_report(numbers, sequences, frames)
    return write_outputs(text, numbers, samples, outputs, out, 'rendered test set')


def make_pipelines(network: Hand3R, layer: HandLayer, preset: str, ablations: bool = False) -> dict[str, Pipeline]:
    """What every evaluation runs side by side."""

    def pipeline(network: Hand3R, pose_source: str, smallest_visible: float = SMALLEST_VISIBLE) -> Pipeline:
        # No number looks at the map, and all of them have to run at once.
        config = ReconstructorConfig(preset=preset, pose_source=pose_source, map=MapConfig(enabled=False))
        reconstructor = OnlineReconstructor(network, layer, make_detector(config), config)
        shape = network.config
        return Pipeline(reconstructor, shape.image_long_side, shape.scene.patch_size, smallest_visible)

    pipelines = {
        OURS: pipeline(network, 'network'),
        GEOMETRIC: pipeline(network, 'geometric'),
        ZEROED: pipeline(ZeroedScene.of(network), 'network'),
        EVERY_HAND: pipeline(network, 'network', ANY_PIXEL),
    }
    if ablations:
        pipelines |= {name: pipeline(changed, 'network') for name, changed in ablated(network).items()}
    return pipelines


def all_numbers(samples: dict[str, Samples], layer: HandLayer) -> dict[str, Numbers]:
    """The rows of the report from what ``make_pipelines``'s pipelines measured."""
    ours, geometric = samples[OURS], samples[GEOMETRIC]
    zeroed = sample_numbers(samples[ZEROED].hands)
    rows = {
        'ours': {**sample_numbers(ours.hands), **scene_numbers(ours), 'hands': float(len(ours.hands))},
        OURS: {**camera_numbers(ours.cameras), **world_numbers(ours.tracks)},
        GEOMETRIC: {**camera_numbers(geometric.cameras), **world_numbers(geometric.tracks)},
        ZEROED: {'C-MPJPE mm': zeroed['C-MPJPE mm']} if zeroed else {},
    }
    for name, measured in samples.items():
        if name not in (OURS, GEOMETRIC, ZEROED, EVERY_HAND):
            hands = {key: value for key, value in sample_numbers(measured.hands).items() if key != 'hands'}
            rows[name] = {
                **hands,
                **scene_numbers(measured),
                **camera_numbers(measured.cameras),
                **world_numbers(measured.tracks),
            }
    return {**rows, **baseline_numbers(ours, layer), **occlusion_numbers(samples[EVERY_HAND].hands, 'ours')}
