"""The trained network with one of its parts taken away: what that part is worth.

Nothing is trained again. A part that the network leans on hurts more when it is missing than a network that never had
it would suffer, so these rows bound what a part earns from above.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

from hand3r_ros.network.hand3r import EncodedFrame, Hand3R
from hand3r_ros.network.prompt import Prompts
from hand3r_ros.network.scene.encoder import SceneTokens
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState

if TYPE_CHECKING:
    from typing_extensions import Self

FUSION_PARTS = ('prompt_encoder.', 'translation_head.')
NOT_MEASURED = (
    'MANO head on fused instead of expert tokens: not measured, because it needs a network that was trained so.'
)


class AblatedNetwork(Hand3R):
    """A network that does one thing differently with the same weights."""

    @classmethod
    def of(cls, network: Hand3R) -> Self:
        """The ablation of ``network``, in evaluation mode."""
        ablation = cls(network.config)
        ablation.load_state_dict(network.state_dict())
        return ablation.eval()


class ZeroedScene(AblatedNetwork):
    """A network whose scene stream sees black images; the hand stream is unchanged."""

    def encode_scene(self, frame: Frame) -> SceneTokens:
        """Tokens of a black image."""
        return super().encode_scene(dataclasses.replace(frame, image=torch.full_like(frame.image, -1.0)))


class WithoutState(AblatedNetwork):
    """Every frame is the first one: recurrent state and pose memory begin anew. The camera then never moves."""

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


class WithoutSceneContext(AblatedNetwork):
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
    plain = Hand3R(dataclasses.replace(network.config, fusion=False))
    weights = network.state_dict()
    plain.load_state_dict({name: weights[name] for name in weights if not name.startswith(FUSION_PARTS)})
    return plain.eval()


def ablated(network: Hand3R) -> dict[str, Hand3R]:
    """Networks by the name of their row."""
    if not network.config.fusion:
        return {'ours, without state': WithoutState.of(network)}
    return {
        'ours, without prompts': without_prompts(network),
        'ours, without f_s': WithoutSceneContext.of(network),
        'ours, without state': WithoutState.of(network),
    }
