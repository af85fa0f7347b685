"""Stage ``hand``: the hand stream on single right-looking crops (paper eq. 7 and more terms)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import HandBatch
from hand3r_lab.training.keypoint_loss import keypoint_losses
from hand3r_lab.training.lifting_task import LiftingTask, lifting_task
from hand3r_lab.training.losses import hand_shape_loss, reprojection_loss
from hand3r_lab.training.sources import HandSource, hand_model_of, open_hands
from hand3r_lab.training.stage import Outcome, ParameterGroup, Stage
from hand3r_lab.training.starting_point import starting_network
from hand3r_lab.training.tensor_tree import in_float32
from hand3r_lab.training.unroll import network_precision
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.hand.camera import project_to_crop
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.mano_head import ManoParameters
from hand3r_ros.network.hand.stream import HandStream, HandStreamOutput
from hand3r_ros.network.hand.viewing_ray import relative_to_viewing_ray
from hand3r_ros.network.rotations import rotation_6d_from_matrix

MEAN_SAMPLES = 4096


def set_mean_parameters(stream: HandStream, dataset: HandSource) -> None:
    """Starts the MANO head at the mean articulation and shape of the training hands (HaMeR ships such a mean too)."""
    generator = torch.Generator().manual_seed(0)
    rotations, betas = dataset.parameters(min(MEAN_SAMPLES, len(dataset)), generator)
    mean_pose = rotation_6d_from_matrix(rotations).mean(0)  # [16, 6]
    mean_pose[0] = stream.mano_head.initial_pose.reshape(16, 6)[0]  # the mean of all orientations means nothing
    stream.mano_head.initial_pose.copy_(mean_pose.reshape(1, 96))
    stream.mano_head.initial_betas.copy_(betas.mean(0)[None])


def set_grid_positions(stream: HandStream) -> None:
    """Starts the ViT with 2D sine and cosine positions, as masked auto-encoders do.

    The usual near-zero start hides where a patch lies behind what it shows, and a hand's pose is mostly about where;
    a network that is trained for an hour cannot afford to discover the grid first.
    """
    rows, columns = stream.config.grid
    quarter = stream.config.width // 4
    frequencies = 1.0 / 100.0 ** (torch.arange(quarter) / quarter)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing='ij')
    angles = torch.stack([y.flatten(), x.flatten()], dim=-1)[:, :, None] * frequencies  # [L, 2, C / 4]
    code = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1)  # [L, C]
    with torch.no_grad():
        stream.backbone.position[:, 1:] = 0.5 * code
        stream.backbone.position[:, :1] = 0.0


def as_shown(hands: HandBatch, config: HandConfig) -> HandBatch:
    """Hands with their global orientation against what the hand stream of ``config`` measures it."""
    return dataclasses.replace(hands, rotations=shown_rotations(hands.rotations, hands.slopes, config))


def shown_rotations(rotations: Tensor, slopes: Tensor, config: HandConfig) -> Tensor:
    """Rotations [N, 16, 3, 3] in camera axes as ``as_shown`` says; slopes [N, 2] of the lines of sight."""
    return rotations if config.orientation == 'camera' else relative_to_viewing_ray(rotations, slopes)


def hand_losses(
    output: ManoParameters | HandStreamOutput,
    layer: HandLayer,
    batch: HandBatch | LiftingTask,
    config: TrainingConfig,
) -> dict[str, Tensor]:
    """Losses of one batch by name; ``total`` is their weighted sum."""
    right = torch.ones(len(batch.rotations), dtype=torch.bool, device=batch.rotations.device)
    predicted = layer(output.rotations, output.betas, right)
    with torch.no_grad():
        truth = layer(batch.rotations, batch.betas, right)
    projected = project_to_crop(predicted.keypoints + predicted.rest_root[:, None], output.crop_camera)
    shape = hand_shape_loss(predicted, truth)
    rotation = (output.rotations - batch.rotations).square().mean()
    orientation = (output.rotations[:, 0] - batch.rotations[:, 0]).square().mean()
    betas = (output.betas - batch.betas).square().mean()
    reprojection = reprojection_loss(projected, batch.keypoints_crop)
    total = (
        config.weight_keypoints * shape
        + config.weight_rotations * rotation
        + config.weight_orientation * orientation
        + config.weight_betas * betas
        + config.weight_reprojection * reprojection
    )
    millimetres = (predicted.keypoints - truth.keypoints).detach().norm(dim=-1).mean() * 1e3
    return {
        'total': total,
        'mpjpe_mm': millimetres,
        'rotation': rotation,
        'orientation': orientation,
        'betas': betas,
        '2d': reprojection,
    }


@dataclass(frozen=True)
class HandStep:
    """What one step sees: crops, and keypoints without pictures for a head that starts from them."""

    hands: HandBatch
    lifting: LiftingTask | None = None


class HandObjective(nn.Module):
    """Losses of the hand stream on a batch of crops."""

    def __init__(self, stream: HandStream, layer: HandLayer, config: TrainingConfig) -> None:
        super().__init__()
        self.stream = stream
        self.layer = layer
        self.config = config

    def forward(self, step: HandStep, memory: None) -> Outcome:
        """Crops have no past: ``memory`` is always None."""
        with network_precision(self.config.precision, step.hands.crops.device):
            output = self.stream(step.hands.crops)
        output = in_float32(output)
        hands = as_shown(step.hands, self.stream.config)
        losses = hand_losses(output, self.layer, hands, self.config)
        for extra in (self._keypoint_losses(output.tokens, hands), self._lifting_losses(step.lifting)):
            losses = {**losses, **extra, 'total': losses['total'] + extra.get('total', 0.0)}
        return Outcome(losses)

    def _keypoint_losses(self, tokens: Tensor, hands: HandBatch) -> dict[str, Tensor]:
        """Of streams whose tokens vote for keypoints."""
        if self.stream.keypoint_head is None:
            return {}
        right = torch.ones(len(tokens), dtype=torch.bool, device=tokens.device)
        with torch.no_grad():
            depth = self.layer(hands.rotations, hands.betas, right).keypoints[..., 2:]
        voted = keypoint_losses(self.stream.keypoint_head(tokens), torch.cat([hands.keypoints_crop, depth], dim=-1))
        total = self.config.weight_votes * voted['votes'] + self.config.weight_cells * voted['cells']
        return {'total': total, **voted}

    def _lifting_losses(self, lifting: LiftingTask | None) -> dict[str, Tensor]:
        """Of a MANO head that is told keypoints and shown nothing."""
        if lifting is None:
            return {}
        nothing = lifting.keypoints.new_zeros(len(lifting.keypoints), 1, self.stream.config.width)
        found = self.stream.mano_head(nothing, lifting.keypoints)
        losses = hand_losses(in_float32(found), self.layer, lifting, self.config)
        return {'total': self.config.weight_lifting * losses['total'], 'lifting_mm': losses['mpjpe_mm']}


def hand_stage(config: TrainingConfig) -> Stage:
    """The hand stream from nothing, or from the weights in ``config.start_from``."""
    stream = starting_network(config).hand
    dataset = open_hands(config)
    layer = HandLayer(hand_model_of(config))  # stays where batches are made; the objective's goes to the device
    if not config.start_from:
        set_mean_parameters(stream, dataset)
        set_grid_positions(stream)
    stream.backbone.requires_grad_(config.train_backbone)
    trained = [parameter for parameter in stream.parameters() if parameter.requires_grad]

    def draw(generator: torch.Generator) -> list[HandStep]:
        hands = dataset.batch(config.batch, generator, config.augmentation)
        if stream.keypoint_head is None:
            return [HandStep(hands)]
        device = hands.crops.device
        rotations, betas = (numbers.to(device) for numbers in dataset.parameters(config.lifting_hands, generator))
        rescale = stream.config.crop_rescale
        return [HandStep(hands, lifting_task(rotations, betas, layer.to(device), rescale, generator))]

    return Stage(
        trained=stream,
        objective=HandObjective(stream, HandLayer(hand_model_of(config)), config),
        groups=[ParameterGroup(trained, config.learning_rate)],
        draw=draw,
        skipped=dataset.skipped,
    )
