"""Runs a network over the frames of a clip, carrying the recurrent state and its gradients from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.checkpoint import checkpoint

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState
from hand3r_ros.training.config import TrainingConfig
from hand3r_ros.training.containers import in_float32
from hand3r_ros.training.datasets import ClipFrame


def roll_out(
    network: Hand3R,
    clip: Sequence[ClipFrame],
    config: TrainingConfig,
    with_hands: bool,
    state: SceneState | None = None,
) -> tuple[list[Prediction], SceneState]:
    """Predictions of all time steps in float32, and the state after them.

    With ``config.checkpoint_activations`` every frame is computed again on the way back, so that memory holds the
    activations of one frame instead of all.
    """
    if state is None:
        state = network.init_state(len(clip[0].image))
    predictions = []
    for frame in clip:
        boxes = frame.hands if with_hands else HandBoxes.empty(network.config.hand.crop_size, frame.image.device)
        arguments = (network, state, frame, boxes, config.precision)
        if config.checkpoint_activations:
            state, prediction = checkpoint(_step, *arguments, use_reentrant=False)
        else:
            state, prediction = _step(*arguments)
        predictions.append(prediction)
    return predictions, state


def _step(
    network: Hand3R, state: SceneState, frame: ClipFrame, boxes: HandBoxes, precision: str
) -> tuple[SceneState, Prediction]:
    with network_precision(precision, frame.image.device):
        state, prediction = network.step(state, Frame(frame.image), boxes)
    return in_float32(state), in_float32(prediction)


def network_precision(precision: str, device: torch.device) -> torch.autocast:
    """The context that a network runs in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == 'bfloat16')
