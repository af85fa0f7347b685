"""Runs one stage from its configuration to its result: a checkpoint, and weights where the stage finishes a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from hand3r_lab.cpu_threads import torch_threads
from hand3r_lab.flush_denormals import flush_denormals
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.detector_stage import (
    check_weights_name,
    check_weights_names,
    detector_stage,
    network_with_new_head,
    save_with_head,
)
from hand3r_lab.training.fused_head_stage import run_fused_head
from hand3r_lab.training.fusion_stage import FusionObjective, fusion_stage, save_fusion
from hand3r_lab.training.hand_stage import hand_stage
from hand3r_lab.training.loop import TrainingLoop
from hand3r_lab.training.processes import Processes
from hand3r_lab.training.scene_stage import scene_stage
from hand3r_lab.training.stage import Stage
from hand3r_ros.network.checkpoints import WeightsError, load_network


def run_training(config: TrainingConfig, weights: Path | None = None, output: Path | None = None) -> None:
    """Trains ``config.stage`` to the end, from its newest checkpoint if there is one.

    Args:
        config: the run.
        weights: fusion: the file to write at the end; detector: the finished weights that get the head; fused_head:
            those whose tokens it reads.
        output: detector: the file to write instead of ``weights``; fused_head: where the head is written.

    Raises:
        ValueError: the configuration or a file name does not fit.
        WeightsError, CheckpointError, NonFiniteLossError: see there.

    """
    with _computing(config):
        processes = Processes.join(config.device)
        try:
            if config.stage == 'detector':
                _run_detector(config, processes, weights, output)
            elif config.stage == 'fused_head':
                run_fused_head(config, processes, weights, output)
            elif config.stage == 'fusion':
                _run_fusion(config, processes, weights)
            else:
                stage = scene_stage(config) if config.stage == 'scene' else hand_stage(config)
                TrainingLoop(config, stage, processes).run()
        finally:
            processes.leave()


@contextmanager
def _computing(config: TrainingConfig) -> Iterator[None]:
    """PyTorch set as a run wants it, then as it was: these are settings of the whole process."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high' if config.precision == 'tf32' else 'highest')
    try:
        with torch_threads(config.threads), flush_denormals():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _run_fusion(config: TrainingConfig, processes: Processes, weights: Path | None) -> None:
    if weights is not None:
        _check_fusion_file(config, weights)
    stage: Stage = fusion_stage(config)
    loop = TrainingLoop(config, stage, processes)
    loop.run()
    if not processes.chief:
        return
    if weights is None:
        print(
            f'only the checkpoint {loop.files.checkpoint} was written: run the same command again with '
            f'--weights FOLDER/{config.preset}.safetensors for the weights that the node loads'
        )
        return
    assert isinstance(stage.objective, FusionObjective)
    save_fusion(stage.objective.network.cpu(), config, weights)


def _check_fusion_file(config: TrainingConfig, weights: Path) -> None:
    """Raises before hours of training what would fail after them."""
    check_weights_name(config, weights)
    try:
        weights.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f'the folder {weights.parent} cannot be made ({error}): name another one') from error
    if weights.is_dir() or not os.access(weights.parent, os.W_OK):
        raise WeightsError(f'{weights} cannot be written: name a file in a folder of yours')


def _run_detector(config: TrainingConfig, processes: Processes, weights: Path | None, output: Path | None) -> None:
    if weights is None:
        raise ValueError(f'stage detector needs finished weights: give --weights weights/{config.preset}.safetensors')
    output = weights if output is None else output
    check_weights_names(config, weights, output)
    torch.manual_seed(config.seed)
    finished, info = load_network(weights.parent, config.preset)
    network = network_with_new_head(finished, config.preset)
    TrainingLoop(config, detector_stage(config, network), processes).run()
    if processes.chief:
        save_with_head(network.cpu(), finished, info, config, output)
