"""Stage ``fusion``: prompts and translation head on clips with hands (paper eq. 8); hand stream frozen."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.detector_stage import clip_detection_losses
from hand3r_lab.training.losses import absolute_loss, image_loss, translation_loss
from hand3r_lab.training.scene_stage import scene_groups, scene_losses, scene_total, taught_maps
from hand3r_lab.training.sources import drawn_segments, hand_model_of, open_clips
from hand3r_lab.training.stage import Outcome, ParameterGroup, Stage
from hand3r_lab.training.starting_point import load_streams, starting_network
from hand3r_lab.training.tensor_tree import detached
from hand3r_lab.training.unroll import unroll
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.types import Prediction, SceneState


class FusionObjective(nn.Module):
    """Losses of hand placement and, against forgetting, of the scene on a clip or a part of it."""

    def __init__(self, network: Hand3R, layer: HandLayer, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        self.layer = layer
        self.config = config
        self.maps = taught_maps(network)

    def forward(self, clip: list[ClipFrame], memory: SceneState | None) -> Outcome:
        """``memory`` is the recurrent state after the part before."""
        config = self.config
        predictions, state = unroll(self.network, clip, config, with_hands=True, state=memory, dense=self.maps)
        scene = scene_losses(predictions, clip, config)
        hands = self._hand_losses(predictions, clip)
        placing = (
            config.weight_translation * hands['translation']
            + config.weight_absolute * hands['absolute']
            + config.weight_image * hands['image']
        )
        total = placing + config.gamma * scene_total(scene, config)
        if self.network.detection_head is not None:
            found = clip_detection_losses(self.network, predictions, clip, config)
            total = total + config.gamma * config.weight_detection * found['total']
            scene['heat'] = found['heat']
        return Outcome({'total': total, **hands, **scene}, detached(state))

    def _hand_losses(self, predictions: list[Prediction], clip: list[ClipFrame]) -> dict[str, Tensor]:
        """All zero for a clip without hands."""
        pairs = [(p.hands, frame) for p, frame in zip(predictions, clip, strict=True) if len(frame.hand_wrist)]
        if not pairs:
            nothing = predictions[0].scene.camera_pose.sum() * 0.0
            return {name: nothing for name in ('translation', 'absolute', 'image', 'wrist_mm')}
        right = torch.cat([frame.hands.is_right for _, frame in pairs])
        wrist = torch.cat([_placed(hands.translation) for hands, _ in pairs])
        shape = self.layer(
            torch.cat([hands.rotations for hands, _ in pairs]), torch.cat([hands.betas for hands, _ in pairs]), right
        )
        keypoints = shape.keypoints + wrist[:, None]
        true_wrist = torch.cat([frame.hand_wrist for _, frame in pairs])
        true_keypoints = torch.cat([frame.hand_keypoints for _, frame in pairs])
        present = torch.cat([_present(frame) for _, frame in pairs])
        return {
            'translation': translation_loss(wrist, true_wrist, present),
            'absolute': absolute_loss(keypoints, true_keypoints, present),
            'image': image_loss(keypoints, true_keypoints, present),
            'wrist_mm': absolute_loss(wrist[:, None], true_wrist[:, None], present).detach() * 1e3,
        }


def _present(frame: ClipFrame) -> Tensor:
    """[N] bool which hands of a time step are there."""
    return torch.ones_like(frame.hands.is_right) if frame.hands.present is None else frame.hands.present


def _placed(translation: Tensor | None) -> Tensor:
    assert translation is not None  # this stage's network has the head
    return translation


def fusion_stage(config: TrainingConfig) -> Stage:
    """Prompts and translation head on top of both trained streams."""
    network = starting_network(config)
    load_streams(network, config)
    network.requires_grad_(False)
    fusion = []
    for part in (network.prompt_encoder, network.translation_head):
        assert part is not None  # presets have fusion
        fusion += list(part.requires_grad_(True).parameters())
    groups = [ParameterGroup(fusion, config.learning_rate)]
    if config.scene_learning_rate > 0.0:
        parts = nn.ModuleDict({'scene': network.scene})
        if network.detection_head is not None:
            parts['detection_head'] = network.detection_head
        groups += scene_groups(parts.requires_grad_(True), config.scene_learning_rate, config)
    clips = open_clips(config)
    return Stage(
        trained=network,
        objective=FusionObjective(network, HandLayer(hand_model_of(config)), config),
        groups=groups,
        draw=lambda generator: drawn_segments(clips, config, generator),
        skipped=clips.skipped,
    )


def save_fusion(network: Hand3R, config: TrainingConfig, weights: Path) -> None:
    """Writes the finished network as a weights file."""
    weights.parent.mkdir(parents=True, exist_ok=True)
    metadata = {'preset': config.preset, 'hand_model': hand_model_of(config).id, 'pose_source': config.pose_source}
    save_network(weights, network, metadata, half=True)
