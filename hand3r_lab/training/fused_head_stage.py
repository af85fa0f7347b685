"""Stage ``fused_head``: a MANO head on the fused prompt tokens of finished weights, for an ablation.

Everything else is frozen. The head starts as a copy of the expert's where their shapes agree, so that only what looks
at the other token has to be learned from nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hand3r_lab.datasets.samples import DataSetError
from hand3r_lab.fused_head import FusedHeadNetwork, new_fused_head, save_fused_head
from hand3r_lab.training.clips import with_intrinsics_dropout
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import ClipDataset, ClipFrame, HandBatch
from hand3r_lab.training.device_cache import LARGE_ARRAYS
from hand3r_lab.training.hand_stage import as_shown, hand_losses, shown_rotations
from hand3r_lab.training.loop import TrainingLoop
from hand3r_lab.training.processes import Processes, device_of
from hand3r_lab.training.rendered_data import RenderedData
from hand3r_lab.training.sources import hand_model_of
from hand3r_lab.training.stage import Outcome, ParameterGroup, Stage, segments
from hand3r_lab.training.streamed_scenes import is_stream
from hand3r_lab.training.tensor_tree import detached
from hand3r_lab.training.unroll import unroll
from hand3r_ros.hand_model.data import require_same_hand_model
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import WeightsError, load_network
from hand3r_ros.network.hand.mano_head import ManoHead
from hand3r_ros.network.hand.stream import HandStreamOutput
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.types import HandPrediction, SceneState


@dataclass(frozen=True)
class ArticulatedFrame:
    """One time step of a batch of clips and the articulation of its N hands, right-looking, in camera axes."""

    clip: ClipFrame
    rotations: Tensor  # [N, 16, 3, 3]
    betas: Tensor  # [N, 10]
    keypoints_crop: Tensor  # [N, 21, 2] crop units


class ArticulatedClips(ClipDataset):
    """Rendered clips whose hands are fully known."""

    def __init__(self, data: RenderedData, clip_frames: int, smallest_visible: float = 0.25) -> None:
        super().__init__(data, clip_frames, smallest_visible)
        self._articulation: list[tuple[Tensor, Tensor, Tensor]] = []  # of the batch that is being made

    def articulated_batch(self, size: int, generator: torch.Generator) -> list[ArticulatedFrame]:
        """``clip_frames`` time steps of ``size`` random clips."""
        self._articulation.clear()
        clip = self.batch(size, generator)
        return [ArticulatedFrame(frame, *known) for frame, known in zip(clip, self._articulation, strict=True)]

    def _frame(self, rows: NDArray, frames: NDArray, images: Tensor, poses: NDArray) -> ClipFrame:
        frame = super()._frame(rows, frames, images, poses)
        where = (rows[frame.hands.batch_index], frames[frame.hands.batch_index], frame.hands.is_right.long().numpy())
        names = ('hand_rotations', 'hand_betas', 'hand_keypoints_crop')
        rotations, betas, keypoints = (torch.from_numpy(np.array(self.data.arrays[name][where])) for name in names)
        self._articulation.append((rotations, betas, keypoints))
        return frame


class FusedHeadObjective(nn.Module):
    """The losses of stage ``hand`` for the hands of a clip, or a part of it, as the fused tokens show them."""

    def __init__(self, network: FusedHeadNetwork, layer: HandLayer, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        self.layer = layer
        self.config = config

    def forward(self, clip: list[ArticulatedFrame], memory: SceneState | None) -> Outcome:
        """``memory`` is the recurrent state after the part before."""
        frames = [frame.clip for frame in clip]
        predictions, state = unroll(self.network, frames, self.config, with_hands=True, state=memory)
        hands = [prediction.hands for prediction in predictions]
        truth = HandBatch(
            torch.cat([frame.hands.crops for frame in frames]),
            torch.cat([frame.rotations for frame in clip]),
            torch.cat([frame.betas for frame in clip]),
            torch.cat([frame.keypoints_crop for frame in clip]),
            _slopes(hands, frames),
        )
        if not len(truth.crops):
            nothing = torch.stack([p.sum() for p in self.network.fused_head.parameters()]).sum() * 0.0
            names = ('total', 'mpjpe_mm', 'rotation', 'orientation', 'betas', '2d')
            return Outcome({name: nothing for name in names}, detached(state))
        config = self.network.config.hand
        output = HandStreamOutput(
            truth.crops,  # the tokens, which the losses do not look at
            shown_rotations(torch.cat([hand.rotations for hand in hands]), truth.slopes, config),
            torch.cat([hand.betas for hand in hands]),
            torch.cat([hand.crop_camera for hand in hands]),
        )
        return Outcome(hand_losses(output, self.layer, as_shown(truth, config), self.config), detached(state))


def _slopes(hands: list[HandPrediction], frames: list[ClipFrame]) -> Tensor:
    """[N, 2] of ``HandPrediction``; zero where the network measures orientations against the camera's axes."""
    pairs = zip(hands, frames, strict=True)
    return torch.cat([frame.hand_wrist[:, :2] * 0.0 if hand.slopes is None else hand.slopes for hand, frame in pairs])


def starting_head(network: Hand3R) -> ManoHead:
    """An untrained head with the expert's parameters where they fit, its means among them."""
    head = new_fused_head(network.config)
    own, expert = head.state_dict(), network.hand.mano_head.state_dict()
    head.load_state_dict({name: expert[name] if expert[name].shape == own[name].shape else own[name] for name in own})
    return head


def fused_head_stage(config: TrainingConfig, network: Hand3R) -> Stage:
    """The new head alone, on top of finished weights.

    Raises:
        ValueError: the weights have no prompts, or ``config.data`` is no folder.

    """
    if is_stream(config.data):
        raise DataSetError(
            f'stage fused_head learns from stored scenes, data={config.data} is none: `hand3r-lab render`'
        )
    network.requires_grad_(False)
    extended = FusedHeadNetwork.of(network, starting_head(network))
    data = RenderedData.open(Path(config.data))
    if config.hold_data:
        data.hold(LARGE_ARRAYS, device_of(config.device))
    clips = ArticulatedClips(data, config.clip_frames)

    def draw(generator: torch.Generator) -> list[list[ArticulatedFrame]]:
        frames = clips.articulated_batch(config.batch, generator)
        clip = with_intrinsics_dropout([frame.clip for frame in frames], config.intrinsics_dropout, generator)
        frames = [dataclasses.replace(frame, clip=one) for frame, one in zip(frames, clip, strict=True)]
        return segments(frames, config.truncate_frames)

    return Stage(
        trained=extended.fused_head,
        objective=FusedHeadObjective(extended, HandLayer(hand_model_of(config)), config),
        groups=[ParameterGroup(list(extended.fused_head.parameters()), config.learning_rate)],
        draw=draw,
        skipped=clips.skipped,
    )


def run_fused_head(config: TrainingConfig, processes: Processes, weights: Path | None, output: Path | None) -> None:
    """Trains the head on the finished ``weights`` and writes it to ``output``; the weights stay as they are.

    Raises:
        ValueError: a file is not named, or the weights have no prompts.
        WeightsError: the weights are missing or damaged, or there is no folder to write to.
        HandModelMismatchError: they are for another hand.

    """
    if weights is None or output is None:
        raise ValueError(
            f'stage fused_head needs --weights weights/{config.preset}.safetensors and --output for the head'
        )
    if weights.name != f'{config.preset}.safetensors':
        raise ValueError(f'{weights} must be named {config.preset}.safetensors, after its preset')
    if not output.absolute().parent.is_dir():
        raise WeightsError(f'the folder {output.absolute().parent} does not exist: make it first')
    torch.manual_seed(config.seed)
    network, info = load_network(weights.parent, config.preset)
    require_same_hand_model(hand_model_of(config).id, info.hand_model, str(weights))
    stage = fused_head_stage(config, network)
    TrainingLoop(config, stage, processes).run()
    if processes.chief:
        assert isinstance(stage.trained, ManoHead)
        save_fused_head(output, stage.trained, weights)
