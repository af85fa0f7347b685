"""Stage ``scene``: the scene stream from nothing on rendered clips (CUT3R's losses, no hands yet)."""

from __future__ import annotations

import torch
from torch import Tensor

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes, Prediction
from hand3r_ros.training.config import TrainingConfig
from hand3r_ros.training.datasets import ClipFrame
from hand3r_ros.training.loop import TrainingLoop
from hand3r_ros.training.losses import camera_pose_loss, pointmap_loss, scene_scale
from hand3r_ros.training.sources import listed_skips, open_clips


def roll_out(network: Hand3R, clip: list[ClipFrame], with_hands: bool) -> list[Prediction]:
    """Predictions of all time steps, gradients flowing through the recurrent state."""
    state = network.init_state(len(clip[0].image))
    predictions = []
    for frame in clip:
        boxes = frame.hands if with_hands else HandBoxes.empty(network.config.hand.crop_size)
        state, prediction = network.step(state, Frame(frame.image), boxes)
        predictions.append(prediction)
    return predictions


def scene_losses(predictions: list[Prediction], clip: list[ClipFrame], config: TrainingConfig) -> dict[str, Tensor]:
    """``points`` (mean over the views), ``pose`` and the relative depth error for the log."""
    confidences = [prediction.scene.confidence_self for prediction in predictions]
    scale = scene_scale([frame.points for frame in clip], confidences, [frame.valid for frame in clip])
    points = torch.stack(
        [
            pointmap_loss(
                prediction.scene.points_self,
                prediction.scene.confidence_self,
                frame.points,
                frame.valid,
                scale,
                config.confidence_alpha,
            )
            for prediction, frame in zip(predictions, clip, strict=True)
        ]
    ).mean()
    pose = torch.stack(
        [
            camera_pose_loss(prediction.scene.camera_pose, frame.camera_pose, scale)
            for prediction, frame in zip(predictions, clip, strict=True)
        ]
    ).mean()
    with torch.no_grad():
        last, truth = predictions[-1].scene.points_self[..., 2], clip[-1].points[..., 2]
        valid = clip[-1].valid
        relative = ((last - truth).abs() / truth.clamp(min=1e-3))[valid].mean()
        moved = (clip[-1].camera_pose[:, :3]).norm(dim=-1).mean()
        wrong = (predictions[-1].scene.camera_pose[:, :3] - clip[-1].camera_pose[:, :3]).norm(dim=-1).mean()
    return {'points': points, 'pose': pose, 'abs_rel': relative, 'moved_share': wrong / moved.clamp(min=1e-6)}


def train_scene(config: TrainingConfig) -> Hand3R:
    """Runs (or resumes) the stage; the scene stream ends in ``<out>/scene/checkpoint.pt``."""
    torch.manual_seed(config.seed)
    network = Hand3R(preset(config.preset))
    clips = open_clips(config)
    loop = TrainingLoop(config, network.scene, [(list(network.scene.parameters()), config.learning_rate)])

    def step(generator: torch.Generator) -> dict[str, Tensor]:
        clip = clips.batch(config.batch, generator)
        losses = scene_losses(roll_out(network, clip, with_hands=False), clip, config)
        return {'total': losses['points'] + config.weight_pose * losses['pose'], **losses}

    with listed_skips(clips):
        loop.run(step)
    return network
