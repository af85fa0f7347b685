"""One step of the network on one image: device, precision, and a check that the result is finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.detection.peaks import find_peaks
from hand3r_ros.network.hand.crop import HandCrop, hand_crop
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.pose import matrix_from_pose
from hand3r_ros.network.precision import store_products_in
from hand3r_ros.network.scene.encoder import SceneTokens
from hand3r_ros.network.types import Frame, HandBoxes, HandPrediction, Prediction, SceneState
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.preparation import ImageGeometry, image_tensor
from hand3r_ros.online.results import HandDetection


@dataclass(frozen=True)
class NetworkOutput:
    """What the rest of the reconstruction needs of one step, in numpy."""

    state: SceneState
    points_camera: NDArray[np.float32]  # (h, w, 3) m
    confidence: NDArray[np.float32]  # (h, w)
    T_network_camera: NDArray[np.float64]  # (4, 4), the network's world
    hands: HandPrediction


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """One image as the network gets it, with its scene tokens: computed once, whoever uses them."""

    pixels: NDArray[np.uint8]  # (h, w, 3) RGB, the network's image
    geometry: ImageGeometry
    tensor: Tensor  # [1, 3, h, w] in [-1, 1]
    tokens: SceneTokens


class NetworkRunner:
    """Owns the network and where it runs, not the recurrent state."""

    def __init__(self, network: Hand3R, device: str = 'auto', precision: str = 'float32') -> None:
        """Moves the network to ``device`` and stores its weights for ``precision``.

        Raises:
            ValueError: the device does not exist or cannot compute in this precision.

        """
        self.device = resolve_device(device)
        self.precision = precision
        if precision == 'float16' and self.device.type == 'cpu':
            raise ValueError("precision 'float16' needs a GPU; on a CPU use 'float32' or 'bfloat16'")
        if precision != 'float32':
            store_products_in(network, getattr(torch, precision))
        network.to(self.device).eval()
        self.network = network
        self.config = network.config

    def init_state(self) -> SceneState:
        """The state before a first frame."""
        with torch.inference_mode():
            return self.network.init_state(1)

    def cut_crops(self, image: NDArray[np.uint8], detections: Sequence[HandDetection]) -> list[HandCrop]:
        """One crop per detection, as the hand stream was trained with."""
        hand = self.config.hand
        return [
            hand_crop(image, d.box, d.side == HandSide.RIGHT, hand.crop_rescale, hand.crop_size) for d in detections
        ]

    def hand_boxes(
        self, detections: Sequence[HandDetection], crops: Sequence[HandCrop], geometry: ImageGeometry
    ) -> HandBoxes:
        """The hands of one image as network input."""
        if not detections:
            return HandBoxes.empty(self.config.hand.crop_size, self.device)
        boxes = geometry.boxes_to_network(np.stack([d.box for d in detections]))
        return HandBoxes(
            crops=torch.from_numpy(np.stack([crop.pixels for crop in crops])).to(self.device),
            boxes=torch.from_numpy(boxes).float().to(self.device),
            is_right=torch.tensor([d.side == HandSide.RIGHT for d in detections], device=self.device),
            batch_index=torch.zeros(len(detections), dtype=torch.int64, device=self.device),
        )

    def encode(self, image: NDArray[np.uint8], geometry: ImageGeometry) -> EncodedImage:
        """The scene tokens of an image (h, w, 3) RGB of the network's size (eq. 1); hands are not needed for them."""
        with torch.inference_mode(), self._autocast():
            tensor = image_tensor(image, self.device)
            return EncodedImage(image, geometry, tensor, self.network.encode_scene(Frame(tensor)))

    def find_hands(self, encoded: EncodedImage) -> tuple[HandDetection, ...]:
        """Hands the detection head sees, in pixels of the source image, weak ones included.

        Raises:
            ValueError: the network has no detection head.

        """
        with torch.inference_mode(), self._autocast():
            hands = find_peaks(self.network.detect(Frame(encoded.tensor), encoded.tokens))
        boxes = encoded.geometry.boxes_to_source(hands.boxes.float().cpu().numpy())
        sides, scores = hands.is_right.cpu().numpy(), hands.scores.cpu().numpy()
        return tuple(
            HandDetection(box, HandSide.RIGHT if is_right else HandSide.LEFT, float(score))
            for box, is_right, score in zip(boxes, sides, scores, strict=True)
        )

    def step(
        self,
        state: SceneState,
        encoded: EncodedImage,
        boxes: HandBoxes,
        state_update: str = 'cut3r',
        camera: Intrinsics | None = None,
    ) -> NetworkOutput:
        """One frame; the given state stays valid whatever happens.

        Args:
            state: from ``init_state`` or the previous output.
            encoded: from ``encode``.
            boxes: from ``hand_boxes``.
            state_update: 'cut3r' or 'ttt3r'.
            camera: of the network's image where it is known; networks that take none are not told.

        Raises:
            FrameRejected: the network's output holds values that are not finite.

        """
        with torch.inference_mode(), self._autocast():
            frame = Frame(encoded.tensor, state_update=state_update, intrinsics=self._intrinsics(camera))
            new_state, prediction = self.network.step(state, frame, boxes, scene=encoded.tokens)
        _require_finite(new_state, prediction)
        scene = prediction.scene
        return NetworkOutput(
            state=new_state,
            points_camera=scene.points_self[0].float().cpu().numpy(),
            confidence=scene.confidence_self[0].float().cpu().numpy(),
            T_network_camera=matrix_from_pose(scene.camera_pose.double())[0].cpu().numpy(),
            hands=_in_float32(prediction.hands),
        )

    def _intrinsics(self, camera: Intrinsics | None) -> Tensor | None:
        """[1, 4] fx, fy, cx, cy in pixels, for networks that take them."""
        if camera is None or not self.config.scene.takes_camera:
            return None
        return torch.tensor([[camera.fx, camera.fy, camera.cx, camera.cy]], device=self.device)

    def _autocast(self) -> AbstractContextManager:
        if self.precision == 'float32':
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.precision))


def resolve_device(name: str) -> torch.device:
    """The torch device of a configured name; 'auto' takes a GPU where there is one.

    Raises:
        ValueError: a GPU was asked for that is not there.

    """
    available = torch.cuda.is_available()
    if name == 'auto':
        return torch.device('cuda' if available else 'cpu')
    device = torch.device(name)
    if device.type == 'cuda' and (not available or (device.index or 0) >= torch.cuda.device_count()):
        raise ValueError(f"device '{name}' is not available here; use 'auto' or 'cpu'")
    return device


def _require_finite(state: SceneState, prediction: Prediction) -> None:
    scene, hands = prediction.scene, prediction.hands
    checked: dict[str, Tensor | None] = {
        'points': scene.points_self,
        'confidence': scene.confidence_self,
        'camera pose': scene.camera_pose,
        'hand rotations': hands.rotations,
        'hand shape': hands.betas,
        'hand camera': hands.crop_camera,
        'hand translation': hands.translation,
        'scene state': state.tokens,
        'pose memory': state.memory,
    }
    bad = [name for name, tensor in checked.items() if tensor is not None and not bool(torch.isfinite(tensor).all())]
    if bad:
        raise FrameRejected(f'the network returned values that are not finite ({", ".join(bad)})')
    if float(scene.camera_pose[0, 3:].norm()) < 1e-6:
        raise FrameRejected('the network returned a camera rotation of zero length')


def _in_float32(hands: HandPrediction) -> HandPrediction:
    values: dict[str, Tensor | None] = {field.name: getattr(hands, field.name) for field in dataclasses.fields(hands)}
    return dataclasses.replace(hands, **{name: value.float() for name, value in values.items() if value is not None})
