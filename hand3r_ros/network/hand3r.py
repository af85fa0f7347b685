"""Hand3R: scene stream and hand stream joined by scene-aware prompts, one frame at a time (paper eqs. 1 to 6)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.crop_translation import crop_numbers, crop_translation
from hand3r_ros.network.detection.head import DetectionHead, HandMaps
from hand3r_ros.network.hand.mano_head import ManoParameters
from hand3r_ros.network.hand.stream import HandStream, HandStreamOutput
from hand3r_ros.network.hand.viewing_ray import in_camera, ray_slopes_of_boxes
from hand3r_ros.network.input_checks import check_boxes, check_step
from hand3r_ros.network.prompt import PromptEncoder, Prompts, TranslationHead
from hand3r_ros.network.scene.encoder import SceneTokens
from hand3r_ros.network.scene.stream import PaddedPrompts, SceneStream
from hand3r_ros.network.types import Frame, HandBoxes, HandPrediction, Prediction, SceneState

__all__ = ['EncodedFrame', 'Hand3R', 'Hand3RConfig', 'pad_prompts']


class EncodedFrame(NamedTuple):
    """What both encoders make of a frame; independent of the recurrent state, so a whole clip can be encoded ahead."""

    scene: SceneTokens
    hands: HandStreamOutput


class Hand3R(nn.Module):
    """Image, hand crops and recurrent state in; scene geometry, camera pose, hands and new state out."""

    def __init__(self, config: Hand3RConfig) -> None:
        super().__init__()
        self.config = config
        self.scene = SceneStream(config.scene)
        self.hand = HandStream(config.hand)
        self.prompt_encoder = PromptEncoder(config.prompt) if config.fusion else None
        self.translation_head = TranslationHead(config.prompt) if config.fusion else None
        self.detection_head = None
        if config.detection is not None:
            scene = config.scene
            self.detection_head = DetectionHead(config.detection, scene.encoder_width, scene.patch_size)

    def init_state(self, batch: int = 1) -> SceneState:
        """State before the first frame, for ``batch`` independent sequences."""
        return self.scene.init_state(batch)

    def step(
        self,
        state: SceneState,
        frame: Frame,
        boxes: HandBoxes,
        dense: frozenset[str] = frozenset(),
        scene: SceneTokens | None = None,
    ) -> tuple[SceneState, Prediction]:
        """One frame with any number of hands per image.

        Args:
            state: from ``init_state`` or the previous step.
            frame: image [B, 3, H, W] in [-1, 1], sides multiples of the scene's patch size.
            boxes: N >= 0 hands over all images; ``HandBoxes.empty`` for none.
            dense: optional maps to compute as well: 'world' (pointmap in the world frame), 'rgb'.
            scene: ``encode_scene`` of this frame where the caller has it already, as after ``detect``.

        Returns:
            The state for the next frame, and the predictions: metres, camera frames with optical axes, world = first
            camera's optical frame.

        Raises:
            ValueError: an argument of a wrong shape, type or device or with values that are not finite, a hand of an
                image that does not exist, or an unknown map; see ``input_checks``. The state stays usable.

        """
        check_step(state, frame, boxes, self.config, self.scene.state_tokens)
        return self.decode(state, frame, boxes, self.encode(frame, boxes, scene), dense)

    def encode_scene(self, frame: Frame) -> SceneTokens:
        """The scene tokens F_s (eq. 1), which need neither state nor hands; ``detect`` and ``step`` share them."""
        return self.scene.encode(frame)

    def detect(self, frame: Frame, scene: SceneTokens) -> HandMaps:
        """Heat maps and boxes of hands from a frame and its tokens; ``detection.peaks.find_peaks`` reads them.

        Raises:
            ValueError: the network has no detection head.

        """
        if self.detection_head is None:
            raise ValueError('the network has no detection head: add one with `hand3r-lab train detector`')
        return self.detection_head(frame.image, scene)

    def encode(self, frame: Frame, boxes: HandBoxes, scene: SceneTokens | None = None) -> EncodedFrame:
        """Both encoders and the articulation head: the part of ``step`` that needs no state (eqs. 1, 2, left of 6)."""
        check_boxes(boxes, len(frame.image), self.config.hand.crop_size)
        return EncodedFrame(self.encode_scene(frame) if scene is None else scene, self.hand(boxes.crops))

    def decode(
        self,
        state: SceneState,
        frame: Frame,
        boxes: HandBoxes,
        encoded: EncodedFrame,
        dense: frozenset[str] = frozenset(),
    ) -> tuple[SceneState, Prediction]:
        """The rest of ``step``: prompts, dual decoder, heads, state update (eqs. 3 to 5, right of 6)."""
        prompts = self._prompts(boxes, encoded)
        if prompts is None:
            result = self.scene.step(state, frame, encoded.scene, dense=dense)
            fused = result.fused_prompts.flatten(0, 1)  # [0, D]
        else:
            padded, slots = pad_prompts(prompts, boxes, len(frame.image))
            result = self.scene.step(state, frame, encoded.scene, padded, dense)
            fused = result.fused_prompts[boxes.batch_index, slots]  # [N, D]
        translation = self._translation(fused, encoded.hands, boxes, result.prediction.intrinsics)
        hands = self.hand_prediction(encoded.hands, boxes, result.prediction.intrinsics, translation)
        return result.state, Prediction(result.prediction, hands)

    def hand_prediction(
        self,
        hands: HandStreamOutput | ManoParameters,
        boxes: HandBoxes,
        intrinsics: Tensor | None,
        translation: Tensor | None,
    ) -> HandPrediction:
        """What a MANO head says of N hands, in camera axes; ``intrinsics`` [B, 4] as in ``ScenePrediction``."""
        if self.config.hand.orientation == 'camera':
            return HandPrediction(hands.rotations, hands.betas, hands.crop_camera, translation)
        assert intrinsics is not None  # Hand3RConfig requires a scene stream that knows the camera
        rotations = hands.rotations.float()
        with torch.autocast(rotations.device.type, enabled=False):
            own = intrinsics.float()[boxes.batch_index.long()]  # an empty list of hands may come without a type
            slopes = ray_slopes_of_boxes(boxes.boxes, own, boxes.is_right)
            return HandPrediction(in_camera(rotations, slopes), hands.betas, hands.crop_camera, translation, slopes)

    def _prompts(self, boxes: HandBoxes, encoded: EncodedFrame) -> Prompts | None:
        """One token per hand; None without hands or without fusion."""
        if self.prompt_encoder is None or len(boxes.boxes) == 0:
            return None
        hands, image_size = encoded.hands, encoded.scene.image_size
        numbers = None
        if self.config.prompt.translation == 'correction':
            numbers = crop_numbers(hands.crop_camera, boxes, image_size, self.config.hand)
        return self.prompt_encoder(hands.tokens, encoded.scene.tokens, boxes, image_size, numbers)

    def _translation(
        self, fused: Tensor, hands: HandStreamOutput, boxes: HandBoxes, intrinsics: Tensor | None
    ) -> Tensor | None:
        """Wrists [N, 3] in metres (right half of eq. 6); None without a translation head."""
        if self.translation_head is None:
            return None
        found = self.translation_head(fused)
        if self.config.prompt.translation == 'metric':
            return found
        assert intrinsics is not None  # Hand3RConfig requires a scene stream that knows the camera
        with torch.autocast(found.device.type, enabled=False):
            place = crop_translation(hands.crop_camera.float(), boxes, intrinsics.float(), self.config.hand)
            return place.corrected(found)


def pad_prompts(prompts: Prompts, boxes: HandBoxes, batch: int) -> tuple[PaddedPrompts, Tensor]:
    """Sorts N prompts to their images [B, P, D], P the largest number of hands, or the number of places, in one image.

    Returns the padded prompts and the slot [N] of each hand in its image. Without padding there is no mask.
    """
    if boxes.present is not None:
        return _places(prompts, boxes.present, batch)
    batch_index = boxes.batch_index
    member = torch.nn.functional.one_hot(batch_index, batch)  # [N, B]
    slots = (member.cumsum(0) - 1).gather(1, batch_index[:, None])[:, 0]
    counts = member.sum(0)
    width = int(counts.max())
    tokens = prompts.tokens.new_zeros(batch, width, prompts.tokens.shape[-1])
    positions = prompts.positions.new_zeros(batch, width, 2)
    tokens = tokens.index_put((batch_index, slots), prompts.tokens)
    positions = positions.index_put((batch_index, slots), prompts.positions)
    valid = None
    if int(counts.min()) < width:
        valid = torch.arange(width, device=counts.device) < counts[:, None]
    return PaddedPrompts(tokens, positions, valid), slots


def _places(prompts: Prompts, present: Tensor, batch: int) -> tuple[PaddedPrompts, Tensor]:
    """``pad_prompts`` where every image has the same number of places; asks the device for nothing."""
    places = len(present) // batch
    slots = torch.arange(places, device=present.device).repeat(batch)
    tokens, positions, valid = (
        values.unflatten(0, (batch, places)) for values in (prompts.tokens, prompts.positions, present)
    )
    return PaddedPrompts(tokens, positions, valid), slots
