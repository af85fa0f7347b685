"""Runs a network over the frames of a clip, carrying the recurrent state and its gradients from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.tensor_tree import in_float32
from hand3r_ros.network.hand3r import EncodedFrame, Hand3R
from hand3r_ros.network.scene.encoder import SceneTokens
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState


def unroll(
    network: Hand3R,
    clip: Sequence[ClipFrame],
    config: TrainingConfig,
    with_hands: bool,
    state: SceneState | None = None,
    dense: frozenset[str] = frozenset(),
) -> tuple[list[Prediction], SceneState]:
    """Predictions of all time steps in float32 with the optional maps in ``dense``, and the state after them.

    Networks that take intrinsics get them in clips that say so. With ``config.checkpoint_activations`` every frame
    is recomputed in the backward pass, so that memory holds the activations of one frame instead of all.
    """
    if state is None:
        state = network.init_state(len(clip[0].image))
    cameras = _given_intrinsics(network, clip)
    encoded = [None] * len(clip) if config.checkpoint_activations else _encoded(network, clip, config.precision)
    predictions = []
    for frame, intrinsics, tokens in zip(clip, cameras, encoded, strict=True):
        boxes = frame.hands if with_hands else HandBoxes.empty(network.config.hand.crop_size, frame.image.device)
        arguments = (network, state, Frame(frame.image, intrinsics=intrinsics), boxes, tokens, config.precision, dense)
        if config.checkpoint_activations:
            state, prediction = checkpoint(_step, *arguments, use_reentrant=False)
        else:
            state, prediction = _step(*arguments)
        predictions.append(prediction)
    return predictions, state


def _given_intrinsics(network: Hand3R, clip: Sequence[ClipFrame]) -> list[Tensor | None]:
    """Intrinsics of every time step, or None for all: then the network estimates them."""
    given = network.config.scene.takes_camera and all(frame.intrinsics_known for frame in clip)
    return [frame.intrinsics if given else None for frame in clip]


def _encoded(network: Hand3R, clip: Sequence[ClipFrame], precision: str) -> list[SceneTokens | None]:
    """Scene tokens of every time step; they need no state, and one large batch is faster than many small ones."""
    images = torch.cat([frame.image for frame in clip])
    with network_precision(precision, images.device):
        scene = network.encode_scene(Frame(images))
    batch = len(clip[0].image)
    frames = [slice(start, start + batch) for start in range(0, len(images), batch)]
    return [
        scene._replace(
            tokens=scene.tokens[part],
            positions=scene.positions[part],
            details=tuple(detail[part] for detail in scene.details),
        )
        for part in frames
    ]


def _step(
    network: Hand3R,
    state: SceneState,
    frame: Frame,
    boxes: HandBoxes,
    tokens: SceneTokens | None,
    precision: str,
    dense: frozenset[str],
) -> tuple[SceneState, Prediction]:
    # Not `network.step`: it asks whether every value is finite, and a GPU that is asked has to be waited for. Data is
    # looked at when it is read, and the loss of every step.
    with network_precision(precision, frame.image.device):
        scene = network.encode_scene(frame) if tokens is None else tokens
        state, prediction = network.decode(state, frame, boxes, EncodedFrame(scene, network.hand(boxes.crops)), dense)
    return in_float32(state), in_float32(prediction)


def network_precision(precision: str, device: torch.device) -> torch.autocast:
    """The context that a network runs in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == 'bfloat16')
