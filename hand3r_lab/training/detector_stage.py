"""Stage ``detector``: the hand detection head on the tokens of finished weights, which it is then added to."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.detection_calibration import calibrate_scores
from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_lab.training.detection_losses import box_losses, detection_targets, heat_loss
from hand3r_lab.training.sources import open_images
from hand3r_lab.training.stage import Outcome, ParameterGroup, Stage
from hand3r_lab.training.tensor_tree import in_float32
from hand3r_lab.training.unroll import network_precision
from hand3r_ros.network.checkpoints import WeightsError, WeightsInfo, save_network
from hand3r_ros.network.detection.head import HandMaps
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import with_detection_head
from hand3r_ros.network.scene.encoder import SceneTokens, grid_positions
from hand3r_ros.network.types import Frame, Prediction

CALIBRATION_IMAGES = 640


def network_with_new_head(network: Hand3R, preset: str) -> Hand3R:
    """A copy of the network with a detection head: its own, or an untrained one."""
    if network.detection_head is not None:
        return copy.deepcopy(network)
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
    with network_precision(config.precision, batch.image.device):
        with torch.set_grad_enabled(config.encoder_learning_rate > 0.0):
            tokens = network.encode_scene(frame)
        maps = network.detect(frame, tokens)
    return _losses_of_maps(in_float32(maps), batch, config)


def clip_detection_losses(
    network: Hand3R, predictions: list[Prediction], clip: list[ClipFrame], config: TrainingConfig
) -> dict[str, Tensor]:
    """Losses of the detection head on the images of a clip, whose scene tokens are there already."""
    labels = [frame.detection for frame in clip if frame.detection is not None]
    if len(labels) < len(clip):
        raise ValueError(f'{config.data} does not say which hands are to be found: set weight_detection=0')
    batch = DetectionBatch(
        torch.cat([one.image for one in labels]),
        torch.cat([one.boxes for one in labels]),
        torch.cat([one.present for one in labels]),
        torch.cat([one.ignored for one in labels]),
    )
    tokens = torch.cat([prediction.scene.image_tokens for prediction in predictions])
    height, width = batch.image.shape[2:]
    patch = network.config.scene.patch_size
    positions = grid_positions(height // patch, width // patch, tokens.device).expand(len(tokens), -1, -1)
    maps = network.detect(Frame(batch.image), SceneTokens(tokens, positions, (height, width)))
    return _losses_of_maps(maps, batch, config)


def _losses_of_maps(maps: HandMaps, batch: DetectionBatch, config: TrainingConfig) -> dict[str, Tensor]:
    targets = detection_targets(batch, maps.stride)
    heat = heat_loss(maps.logits, targets)
    overlap, edges = box_losses(maps, batch, targets)
    return {'total': heat + config.weight_box * (overlap + edges), 'heat': heat, 'giou': overlap, 'edges': edges}


class DetectionObjective(nn.Module):
    """Losses of the detection head on a batch of images."""

    def __init__(self, network: Hand3R, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    def forward(self, batch: DetectionBatch, memory: None) -> Outcome:
        """Single images have no past: ``memory`` is always None."""
        return Outcome(detection_losses(self.network, batch, self.config))


def detector_stage(config: TrainingConfig, network: Hand3R) -> Stage:
    """The head of a network from ``network_with_new_head``, alone or with the scene encoder."""
    assert network.detection_head is not None
    encoder = network.scene.image_encoder
    trained = nn.ModuleDict({'head': network.detection_head})
    groups = [ParameterGroup(list(network.detection_head.parameters()), config.learning_rate)]
    network.requires_grad_(False)
    network.detection_head.requires_grad_(True)
    if config.encoder_learning_rate > 0.0:
        trained['encoder'] = encoder.requires_grad_(True)
        groups.append(ParameterGroup(list(encoder.parameters()), config.encoder_learning_rate))
    frames = open_images(config)
    return Stage(
        trained=trained,
        objective=DetectionObjective(network, config),
        groups=groups,
        draw=lambda generator: [frames.batch(config.batch, generator)],
        skipped=frames.skipped,
    )


def check_weights_name(config: TrainingConfig, path: Path) -> None:
    """Raises ValueError where the name of a weights file does not fit the preset."""
    if path.name != f'{config.preset}.safetensors':
        raise ValueError(f'{path} must be named {config.preset}.safetensors, after its preset')


def check_weights_names(config: TrainingConfig, weights: Path, output: Path) -> None:
    """Raises before hours of training what would fail after them.

    Raises:
        WeightsError: there is no folder to write to.
        ValueError: a file name does not fit the preset.

    """
    for path in (weights, output):
        check_weights_name(config, path)
    if not output.parent.is_dir():
        raise WeightsError(f'the folder {output.parent} does not exist: make it first')


def save_with_head(network: Hand3R, finished: Hand3R, info: WeightsInfo, config: TrainingConfig, output: Path) -> None:
    """Calibrates the head and writes the network, in half precision where the finished weights had no more.

    Raises:
        ValueError: the head finds no hand.

    """
    frames = open_images(config)
    operation = calibrate_scores(network.eval(), frames, CALIBRATION_IMAGES)
    if operation is None:
        raise ValueError(f'the head finds no hand after {config.steps} steps: train longer; {output} was not written')
    reached = ', '.join(f'{name} {value:.3f}' for name, value in operation._asdict().items())
    print(f'on training images: {reached}')
    save_network(output, network, {**info.metadata, 'detector_steps': config.steps}, half=_fits_half(finished))
    print(f'{output} now has a hand detection head')


def _fits_half(network: Hand3R) -> bool:
    """Whether the parameters lose nothing in float16, as those that came from a file of half precision."""
    return all(torch.equal(value, value.half().to(value.dtype)) for value in network.state_dict().values())
