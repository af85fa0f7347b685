"""Updates of the recurrent state: CUT3R's full update, TTT3R's gated one, skipped updates and resets."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from hand3r_ros.network.scene.config import STATE_UPDATES, SceneConfig
from hand3r_ros.network.types import Frame, SceneState


def is_gated(frame: Frame, config: SceneConfig) -> bool:
    """Whether this frame's update goes through TTT3R's gate.

    Raises:
        ValueError: the frame asks for an update that does not exist.

    """
    chosen = config.state_update if frame.state_update is None else frame.state_update
    if chosen not in STATE_UPDATES:
        raise ValueError(f'Frame.state_update must be one of {STATE_UPDATES}, got {chosen!r}')
    return chosen == 'ttt3r'


def updated_state(state: SceneState, frame: Frame, tokens: Tensor, memory: Tensor) -> SceneState:
    """The state after ``frame``: ``tokens`` and ``memory`` where it updates, initial values where it resets."""
    tokens, memory = tokens.to(state.tokens.dtype), memory.to(state.memory.dtype)
    updates = _updates(frame)
    if updates is not None:
        tokens = torch.where(updates[:, None, None], tokens, state.tokens)
        memory = torch.where(updates[:, None, None], memory, state.memory)
    fresh = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
    if frame.reset is not None:
        fresh = frame.reset.to(torch.bool)
        tokens = torch.where(fresh[:, None, None], state.initial_tokens, tokens)
        memory = torch.where(fresh[:, None, None], state.initial_memory, memory)
    return dataclasses.replace(state, tokens=tokens, memory=memory, started=True, fresh=fresh)


def gated_tokens(state: SceneState, tokens: Tensor, state_logit: Tensor) -> Tensor:
    """TTT3R: each state token moves only as far as its attention to the image says.

    Args:
        state: before the frame.
        tokens: [B, S, D] proposed by the decoder.
        state_logit: [B, S] cross-attention logit of each state token, averaged over image tokens, heads and layers.

    Returns:
        [B, S, D]; the first frame since the start or a reset is taken in fully.

    """
    gate = torch.sigmoid(state_logit.float())
    if state.fresh is not None:
        gate = torch.where(state.fresh[:, None], 1.0, gate)
    return torch.lerp(state.tokens.float(), tokens.float(), gate[..., None])


def _updates(frame: Frame) -> Tensor | None:
    """[B] bool, which sequences this frame updates; None for all."""
    if frame.update is None or frame.has_image is None:
        only = frame.update if frame.has_image is None else frame.has_image
        return None if only is None else only.to(torch.bool)
    return frame.update.to(torch.bool) & frame.has_image.to(torch.bool)
