"""Stage ``detector``: the hand detection head on the tokens of finished weights, which it is then added to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from hand3r_ros.network.checkpoints import WeightsError, load_network, save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import with_detection_head
from hand3r_ros.network.types import Frame
from hand3r_ros.training.config import TrainingConfig
from hand3r_ros.training.detection_calibration import calibrate_scores
from hand3r_ros.training.detection_data import DetectionBatch, DetectionDataset
from hand3r_ros.training.detection_losses import box_losses, detection_targets, heat_loss
from hand3r_ros.training.loop import TrainingLoop
from hand3r_ros.training.rendered_data import RenderedData

CALIBRATION_IMAGES = 640


def network_with_new_head(network: Hand3R, preset: str) -> Hand3R:
    """The same network with an untrained detection head in the place of what it had."""
    config = dataclasses.replace(with_detection_head(preset), fusion=network.config.fusion)
    extended = Hand3R(config)
    parameters = {name: value for name, value in network.state_dict().items() if not _belongs_to_head(name)}
    absent, unknown = extended.load_state_dict(parameters, strict=False)
    if unknown or not all(_belongs_to_head(name) for name in absent):
        raise ValueError(f'the weights do not fit preset {preset!r}: {[*absent, *unknown][:3]}')
    return extended


def _belongs_to_head(name: str) -> bool:
    return name.startswith('detection_head.')


def detection_losses(network: Hand3R, batch: DetectionBatch, config: TrainingConfig) -> dict[str, Tensor]:
    """Losses of one batch by name; ``total`` is their weighted sum."""
    frame = Frame(batch.image)
    with torch.set_grad_enabled(config.encoder_learning_rate > 0.0):
        tokens = network.encode_scene(frame)
    maps = network.detect(frame, tokens)
    targets = detection_targets(batch, maps.stride)
    heat = heat_loss(maps.logits, targets)
    overlap, edges = box_losses(maps, batch, targets)
    return {'total': heat + config.weight_box * (overlap + edges), 'heat': heat, 'giou': overlap, 'edges': edges}


def train_detector(config: TrainingConfig, weights: Path, output: Path | None = None) -> Hand3R:
    """Runs (or resumes) the stage, then writes the network of ``weights`` with its new head.

    Args:
        config: settings; the head's checkpoint is ``<out>/detector/checkpoint.pt``.
        weights: finished weights, named ``<preset>.safetensors``. A head they have already is replaced.
        output: the file to write, also named so; None: ``weights`` itself, which is replaced at once when all is done.

    Raises:
        WeightsError: the weights cannot be read.
        ValueError: a file name does not fit the preset, or the head finds no hand in the end.

    """
    output = weights if output is None else output
    for path in (weights, output):
        if path.name != f'{config.preset}.safetensors':
            raise ValueError(f'{path} must be named {config.preset}.safetensors, after its preset')
    if not output.parent.is_dir():
        raise WeightsError(f'the folder {output.parent} does not exist: make it first')
    torch.manual_seed(config.seed)
    finished, info = load_network(weights.parent, config.preset)
    network = network_with_new_head(finished, config.preset)
    frames = DetectionDataset(RenderedData.open(Path(config.data)), config.smallest_visible)
    loop = _loop(config, network)

    def step(generator: torch.Generator) -> dict[str, Tensor]:
        return detection_losses(network, frames.batch(config.batch, generator), config)

    loop.run(step)
    operation = calibrate_scores(network, frames, CALIBRATION_IMAGES)
    if operation is None:
        raise ValueError(f'the head finds no hand after {config.steps} steps: train longer; {output} was not written')
    reached = ', '.join(f'{name} {value:.3f}' for name, value in operation._asdict().items())
    print(f'on training images: {reached}')
    save_network(output, network, {**info.metadata, 'detector_steps': config.steps}, half=_fits_half(finished))
    print(f'{output} now has a hand detection head')
    return network.eval()


def _fits_half(network: Hand3R) -> bool:
    """Whether the parameters lose nothing in float16, as those that came from a file of half precision."""
    return all(torch.equal(value, value.half().to(value.dtype)) for value in network.state_dict().values())


def _loop(config: TrainingConfig, network: Hand3R) -> TrainingLoop:
    """Trains the head alone, or the scene encoder too where it has a learning rate."""
    assert network.detection_head is not None
    encoder = network.scene.image_encoder
    trained = nn.ModuleDict({'head': network.detection_head})
    groups = [(list(network.detection_head.parameters()), config.learning_rate)]
    network.requires_grad_(False)
    network.detection_head.requires_grad_(True)
    if config.encoder_learning_rate > 0.0:
        trained['encoder'] = encoder.requires_grad_(True)
        groups.append((list(encoder.parameters()), config.encoder_learning_rate))
    return TrainingLoop(config, trained, groups)
