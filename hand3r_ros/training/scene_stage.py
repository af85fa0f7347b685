"""Stage ``scene``: the scene stream on clips (CUT3R's losses, no hands yet)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.types import Prediction, SceneState
from hand3r_ros.training.config import TrainingConfig
from hand3r_ros.training.datasets import ClipFrame
from hand3r_ros.training.losses import camera_pose_loss, pointmap_loss, scene_scale
from hand3r_ros.training.roll_out import roll_out
from hand3r_ros.training.sources import open_clips
from hand3r_ros.training.stage import Outcome, ParameterGroup, Stage, segments
from hand3r_ros.training.starting_point import starting_network


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


class SceneObjective(nn.Module):
    """Losses of the scene stream on a clip or a part of it."""

    def __init__(self, network: Hand3R, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    def forward(self, clip: list[ClipFrame], memory: SceneState | None) -> Outcome:
        """``memory`` is the recurrent state after the part before."""
        predictions, state = roll_out(self.network, clip, self.config, with_hands=False, state=memory)
        losses = scene_losses(predictions, clip, self.config)
        return Outcome({'total': losses['points'] + self.config.weight_pose * losses['pose'], **losses}, state)


def scene_stage(config: TrainingConfig) -> Stage:
    """The scene stream from nothing, or from the weights in ``config.start_from``; no hands."""
    network = starting_network(config)
    for part in (network.hand, network.prompt_encoder, network.translation_head, network.detection_head):
        if part is not None:
            part.requires_grad_(False)
    clips = open_clips(config)
    return Stage(
        trained=network.scene,
        objective=SceneObjective(network, config),
        groups=[ParameterGroup(list(network.scene.parameters()), config.learning_rate)],
        draw=lambda generator: segments(clips.batch(config.batch, generator), config.truncate_frames),
        skipped=clips.skipped,
    )
