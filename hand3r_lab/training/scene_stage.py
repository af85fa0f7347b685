"""Stage ``scene``: the scene stream on clips (CUT3R's losses, no hands yet), with two auxiliary tasks.

A small network that is trained from scratch learns little from pointmaps and relative poses alone. The auxiliary tasks
are to predict the camera pose relative to the table from the pose token (one image shows it; a relative pose is the
difference of two such poses, and the state has to carry the first), and to detect hands.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hand3r_lab.training.auxiliary_pose import AuxiliaryPoseHead, auxiliary_pose_loss
from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.detector_stage import clip_detection_losses
from hand3r_lab.training.losses import (
    PointMap,
    camera_pose_loss,
    depth_gradient_loss,
    depth_loss,
    focal_loss,
    pointmaps_loss,
    relative_depth_loss,
    scene_scale,
)
from hand3r_lab.training.sources import drawn_segments, open_clips
from hand3r_lab.training.stage import Outcome, ParameterGroup, Stage
from hand3r_lab.training.starting_point import starting_network
from hand3r_lab.training.tensor_tree import detached
from hand3r_lab.training.unroll import unroll
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.pose import matrix_from_pose
from hand3r_ros.network.types import Prediction, ScenePrediction, SceneState


def scene_losses(predictions: list[Prediction], clip: list[ClipFrame], config: TrainingConfig) -> dict[str, Tensor]:
    """``points`` of maps, ``depth`` (log), ``relative_depth``, ``depth_gradient``, ``pose``, ``focal``, and errors.

    Lengths are divided by one scale of the views given here: of a clip that is cut, by that of each segment.
    """
    pairs = list(zip([prediction.scene for prediction in predictions], clip, strict=True))
    maps = [pointmap for scene, frame in pairs for pointmap in pointmaps(scene, frame)]
    scale = scene_scale(
        [pointmap.truth for pointmap in maps],
        [pointmap.confidence for pointmap in maps],
        [pointmap.valid for pointmap in maps],
    )
    points = pointmaps_loss(maps, scale, config.confidence_alpha)
    pose = torch.stack([camera_pose_loss(scene.camera_pose, frame.camera_pose, scale) for scene, frame in pairs]).mean()
    focal = torch.stack([focal_loss(scene.guessed_intrinsics, frame.intrinsics, pose) for scene, frame in pairs]).mean()
    depths = [(scene.points_self[..., 2], frame.points[..., 2], frame.valid) for scene, frame in pairs]
    return {
        'points': points,
        'depth': torch.stack([depth_loss(*depth) for depth in depths]).mean(),
        'relative_depth': torch.stack([relative_depth_loss(*depth) for depth in depths]).mean(),
        'depth_gradient': torch.stack([depth_gradient_loss(*depth) for depth in depths]).mean(),
        'pose': pose,
        'focal': focal,
        **_errors(predictions, clip),
    }


def pointmaps(scene: ScenePrediction, frame: ClipFrame) -> list[PointMap]:
    """The map in the own camera and, where the network predicts it, the one in the first camera (CUT3R's cross map)."""
    own = PointMap(scene.points_self, scene.confidence_self, frame.points, frame.valid)
    if scene.points_world is None or scene.confidence_world is None:
        return [own]
    T_first_camera = matrix_from_pose(frame.camera_pose)
    truth = torch.einsum('bij,bhwj->bhwi', T_first_camera[:, :3, :3], frame.points)
    truth = truth + T_first_camera[:, None, None, :3, 3]
    return [own, PointMap(scene.points_world, scene.confidence_world, truth, frame.valid)]


def taught_maps(network: Hand3R) -> frozenset[str]:
    """The optional maps that ``scene_losses`` wants from a roll-out: what the network has a head for."""
    return frozenset({'world'}) if network.config.scene.world_head else frozenset()


def scene_total(losses: dict[str, Tensor], config: TrainingConfig) -> Tensor:
    """The weighted sum of ``scene_losses``."""
    return (
        losses['points']
        + config.weight_depth * losses['depth']
        + config.weight_relative_depth * losses['relative_depth']
        + config.weight_depth_gradient * losses['depth_gradient']
        + config.weight_pose * losses['pose']
        + config.weight_focal * losses['focal']
    )


@torch.no_grad()
def _errors(predictions: list[Prediction], clip: list[ClipFrame]) -> dict[str, Tensor]:
    """For the log: relative depth error, and the camera's position error over its motion (1: as if it never moved)."""
    last, truth = predictions[-1].scene.points_self[..., 2], clip[-1].points[..., 2]
    found, true = predictions[-1].scene.camera_pose, clip[-1].camera_pose
    moved, turned = true[:, :3].norm(dim=-1).mean(), true[:, 4:].norm(dim=-1).mean()
    wrong, twisted = (found - true)[:, :3].norm(dim=-1).mean(), (found - true)[:, 3:].norm(dim=-1).mean()
    return {
        'abs_rel': relative_depth_loss(last, truth, clip[-1].valid),
        'moved_share': wrong / moved.clamp(min=1e-6),
        'turned_share': twisted / turned.clamp(min=1e-6),
    }


def scene_groups(module: nn.Module, learning_rate: float, config: TrainingConfig) -> list[ParameterGroup]:
    """The trained parameters of a module with a scene stream, its dense heads at a learning rate of their own."""
    named = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    return [
        ParameterGroup([value for name, value in named if 'heads.' not in name], learning_rate),
        ParameterGroup([value for name, value in named if 'heads.' in name], config.dense_head_share * learning_rate),
    ]


class SceneLearner(nn.Module):
    """What this stage trains: the scene stream, the detection head if hands are looked for, and a head for training."""

    def __init__(self, network: Hand3R) -> None:
        super().__init__()
        self.scene = network.scene
        self.detection_head = network.detection_head
        self.table_pose = AuxiliaryPoseHead(network.config.scene.decoder_width)


class SceneObjective(nn.Module):
    """Losses of the scene stream on a clip or a part of it."""

    def __init__(self, network: Hand3R, learner: SceneLearner, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        self.learner = learner
        self.config = config
        self.maps = taught_maps(network)

    def forward(self, clip: list[ClipFrame], memory: SceneState | None) -> Outcome:
        """``memory`` is the recurrent state after the part before."""
        config = self.config
        predictions, state = unroll(self.network, clip, config, with_hands=False, state=memory, dense=self.maps)
        losses = scene_losses(predictions, clip, config)
        total = scene_total(losses, config)
        if config.weight_table > 0.0:
            losses['table'] = auxiliary_pose_loss(self.learner.table_pose, predictions, clip)
            total = total + config.weight_table * losses['table']
        if self.network.detection_head is not None:
            found = clip_detection_losses(self.network, predictions, clip, config)
            total = total + config.weight_detection * found['total']
            losses.update({name: value for name, value in found.items() if name != 'total'})
        return Outcome({'total': total, **losses}, detached(state))


def scene_stage(config: TrainingConfig) -> Stage:
    """The scene stream from nothing, or from the weights in ``config.start_from``; no hands."""
    network = starting_network(config)
    network.requires_grad_(False)
    learner = SceneLearner(network).requires_grad_(True)
    learner.table_pose.requires_grad_(config.weight_table > 0.0)
    clips = open_clips(config, with_hands=False)
    return Stage(
        trained=learner,
        objective=SceneObjective(network, learner, config),
        groups=scene_groups(learner, config.learning_rate, config),
        draw=lambda generator: drawn_segments(clips, config, generator),
        skipped=clips.skipped,
    )
