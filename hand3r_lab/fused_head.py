"""The articulation read from the fused prompt token instead of the hand tokens, for comparison with the paper's choice.

The paper leaves the MANO head on the expert's tokens f_h (eq. 6, left). Here a head of the same size looks at the one
token that has been through the decoder, so that what the scene adds and what the single token loses can be measured. It
belongs to exactly one weights file, because every training gives the tokens another meaning.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from hand3r_ros.network.checkpoints import WeightsError, fill
from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.hand.mano_head import ManoHead
from hand3r_ros.network.hand3r import EncodedFrame, Hand3R
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState
from hand3r_ros.safetensors_files import write_tensors

if TYPE_CHECKING:
    from typing_extensions import Self

HEADER_KEY = 'hand3r_ros_fused_head'


def new_fused_head(config: Hand3RConfig) -> ManoHead:
    """A MANO head of the hand stream's size whose context is a token [N, 1, D] of the decoder; untrained."""
    # ``heads`` are those of the ViT, of which the head uses none; one divides every width.
    return ManoHead(dataclasses.replace(config.hand, width=config.prompt.decoder_width, heads=1, query='zero'))


class FusedHeadNetwork(Hand3R):
    """A network with a second MANO head, on the fused prompt tokens, that replaces the first one's predictions."""

    fused_head: ManoHead

    @classmethod
    def of(cls, network: Hand3R, head: ManoHead) -> Self:
        """The parts of ``network`` and the head, none of them copied.

        Raises:
            ValueError: the network has no prompts.

        """
        if not network.config.fusion:
            raise ValueError('a MANO head on fused tokens needs weights with prompts (`hand3r-lab train fusion`)')
        with torch.device('meta'):  # every part is replaced
            extended = cls(network.config)
        for name, part in network.named_children():
            setattr(extended, name, part)
        extended.fused_head = head
        return extended.eval()

    def decode(
        self,
        state: SceneState,
        frame: Frame,
        boxes: HandBoxes,
        encoded: EncodedFrame,
        dense: frozenset[str] = frozenset(),
    ) -> tuple[SceneState, Prediction]:
        """As the network, but for rotations, betas and crop camera of the hands."""
        fused: list[Tensor] = []

        def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            fused.append(inputs[0])

        assert self.translation_head is not None  # see ``of``
        hook = self.translation_head.register_forward_pre_hook(keep)
        try:
            state, prediction = super().decode(state, frame, boxes, encoded, dense)
        finally:
            hook.remove()
        hands = self.fused_head(fused[0][:, None])
        replaced = self.hand_prediction(hands, boxes, prediction.scene.intrinsics, prediction.hands.translation)
        return state, dataclasses.replace(prediction, hands=replaced)


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_fused_head(path: Path, head: ManoHead, weights: Path) -> None:
    """Writes the head and the checksum of the weights file that it belongs to."""
    header = {HEADER_KEY: json.dumps({'weights_sha256': file_sha256(weights)})}
    write_tensors(path, head.state_dict(), header)


def load_fused_head(path: Path, config: Hand3RConfig, weights: Path) -> ManoHead:
    """The head of ``save_fused_head`` for a network of ``config`` from the file ``weights``, in evaluation mode.

    Raises:
        WeightsError: the file is missing, damaged, no such head, or was trained on other weights.

    """
    head = new_fused_head(config)
    try:
        with safe_open(path, framework='pt') as file:
            header = json.loads((file.metadata() or {})[HEADER_KEY])
        trained_on = header['weights_sha256']
        fill(head.state_dict(), path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError, WeightsError) as error:
        raise WeightsError(f'{path} is no MANO head on fused tokens of this preset ({error})') from error
    if trained_on != file_sha256(weights):
        raise WeightsError(
            f'{path} was trained on other weights than {weights}: train it again with `hand3r-lab train fused_head`'
        )
    return head.eval()
