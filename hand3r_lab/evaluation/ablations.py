"""The trained network with one of its parts taken away: what that part is worth.

Nothing is trained again, but for the MANO head on fused tokens. A part that the network leans on hurts more when it is
missing than a network that never had it would suffer, so these rows bound what a part earns from above.
"""

from __future__ import annotations

import dataclasses

import torch

from hand3r_lab.evaluation.sharing import SharingNetwork
from hand3r_lab.fused_head import FusedHeadNetwork
from hand3r_ros.network.hand.mano_head import ManoHead
from hand3r_ros.network.hand3r import EncodedFrame, Hand3R
from hand3r_ros.network.prompt import Prompts
from hand3r_ros.network.scene.encoder import SceneTokens
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState

FUSION_PARTS = ('prompt_encoder', 'translation_head')
ZEROED, FUSED_HEAD = 'ours, zeroed scene', 'ours, MANO head on fused tokens'
WITHOUT_PROMPTS, WITHOUT_CONTEXT, WITHOUT_STATE = 'ours, without prompts', 'ours, without f_s', 'ours, without state'


class ZeroedScene(SharingNetwork):
    """A network whose scene stream sees black images; the hand stream is unchanged."""

    def encode_scene(self, frame: Frame) -> SceneTokens:
        """Tokens of a black image."""
        return super().encode_scene(dataclasses.replace(frame, image=torch.full_like(frame.image, -1.0)))


class WithoutState(SharingNetwork):
    """Every frame is the first one: recurrent state and pose memory are re-initialised. The camera then never moves."""

    def decode(
        self,
        state: SceneState,
        frame: Frame,
        boxes: HandBoxes,
        encoded: EncodedFrame,
        dense: frozenset[str] = frozenset(),
    ) -> tuple[SceneState, Prediction]:
        """As the network, from the initial state."""
        return super().decode(self.init_state(len(frame.image)), frame, boxes, encoded, dense)


class WithoutSceneContext(SharingNetwork):
    """f_s = 0: the prompt is made of the hand tokens (and the code of the box) alone; it is decoded as usual."""

    def _prompts(self, boxes: HandBoxes, encoded: EncodedFrame) -> Prompts | None:
        nothing = encoded.scene._replace(tokens=torch.zeros_like(encoded.scene.tokens))
        return super()._prompts(boxes, encoded._replace(scene=nothing))


def without_prompts(network: Hand3R) -> Hand3R:
    """The same weights without prompt encoder and translation head.

    No hand token enters the decoder. Positions then come from what the pipeline does with all weights that have no
    translation head: crop camera for the direction, apparent size and predicted scene points for the depth
    (``translation: aligned``).
    """
    with torch.device('meta'):  # every part is replaced
        plain = Hand3R(dataclasses.replace(network.config, fusion=False))
    for name, part in network.named_children():
        if name not in FUSION_PARTS:
            setattr(plain, name, part)
    return plain.eval()


def ablated(network: Hand3R, fused_head: ManoHead | None = None) -> dict[str, Hand3R]:
    """Networks by the name of their row; they share the parts of ``network``."""
    if not network.config.fusion:
        return {WITHOUT_STATE: WithoutState.of(network)}
    networks: dict[str, Hand3R] = {
        WITHOUT_PROMPTS: without_prompts(network),
        WITHOUT_CONTEXT: WithoutSceneContext.of(network),
        WITHOUT_STATE: WithoutState.of(network),
    }
    if fused_head is not None:
        networks[FUSED_HEAD] = FusedHeadNetwork.of(network, fused_head)
    return networks
