"""A network whose answers are the rendered ground truth, so that all that follows it can be checked exactly."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import nn

from hand3r_lab.evaluation.placement_noise import fitted_crop_camera
from hand3r_lab.scenes.sequence import HandTruth, RenderedFrame
from hand3r_ros.geometry import Intrinsics, invert_transform, unproject_depth
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.crop import crop_square
from hand3r_ros.network.hand.viewing_ray import ray_rotations, ray_slopes_of_boxes
from hand3r_ros.network.pose import pose_from_matrix
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import HandPrediction, Prediction, ScenePrediction, SceneState
from hand3r_ros.online.config import DetectionConfig, MapConfig, ReconstructorConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, HandDetection

FRAME_NS = 100_000_000


class TruthNetwork(nn.Module):
    """Set ``frame`` before every step; ``depth_scale`` and ``size_error`` falsify what a network gets wrong."""

    def __init__(self, fusion: bool = True) -> None:
        super().__init__()
        self.config = replace(preset('tiny'), fusion=fusion)
        self.frame: RenderedFrame | None = None
        self.sees_lines_of_sight = False  # whether the crop camera looks along them, as that of the tiny preset
        self.size_error = 1.0  # factor on the apparent size of the crop camera
        self.depth_scale = 1.0
        self.T_first = np.eye(4)  # what the network says of the first camera of its world
        self.poison: str | None = None  # name of an output that becomes NaN
        self.steps = 0

    def init_state(self, batch: int = 1) -> SceneState:
        zero, unknown = torch.zeros(batch, 1, 1), torch.zeros(batch, 4, 4, dtype=torch.float64)
        return SceneState(zero, torch.zeros(batch, 1, 2, dtype=torch.int64), unknown, zero, unknown)

    def encode_scene(self, frame):
        return None  # it looks at the truth instead

    def step(self, state, frame, boxes, dense=frozenset(), scene=None):
        if bool((frame.image == frame.image.min()).all()):  # nothing to see: how a loaded session is tried out
            return replace(state, started=True), _of_nothing(frame.image.shape[2:], len(boxes.boxes))
        truth = self.frame
        self.steps += 1
        # The memory of this network is where its world is: from the scene's world to its own.
        if not state.started:
            T_first_world = torch.from_numpy(self.T_first @ invert_transform(truth.T_world_camera))
            state = replace(state, memory=T_first_world[None])
        geometry = self._geometry(truth)
        assert tuple(frame.image.shape[2:]) == (geometry.height, geometry.width)
        depth = depth_at_network(truth, geometry) * self.depth_scale
        points = unproject_depth(depth, geometry.intrinsics_to_network(truth.intrinsics))
        pose = pose_from_matrix(state.memory @ torch.from_numpy(truth.T_world_camera)).float()
        confidence = np.where(depth > 0.0, 3.0, 1.0)
        scene = ScenePrediction(_tensor(points), _tensor(confidence), pose, torch.zeros(1), torch.zeros(1))
        prediction = Prediction(scene, self._hands(truth, boxes, geometry))
        if self.poison is not None:
            prediction = _poisoned(prediction, self.poison)
        new_state = replace(state, tokens=state.tokens + 1.0, started=True)
        return new_state, prediction

    @staticmethod
    def _geometry(truth: RenderedFrame) -> ImageGeometry:
        height, width = truth.image.shape[:2]
        return ImageGeometry.for_image(width, height, preset('tiny').image_long_side)

    def _hands(self, truth, boxes, geometry) -> HandPrediction:
        rotations, betas, cameras, translations = [], [], [], []
        for box, is_right in zip(boxes.boxes.numpy(), boxes.is_right.numpy(), strict=True):
            source_box = geometry.boxes_to_source(box)
            hand = _nearest(truth.hands, source_box, HandSide.RIGHT if is_right else HandSide.LEFT)
            right_looking = hand.rotations if is_right else mirror_rotations(hand.rotations)
            rotations.append(right_looking)
            betas.append(hand.betas)
            cameras.append(self._crop_camera(hand, source_box, truth))
            translations.append(hand.wrist_camera)
        count = len(rotations)
        shape = {'r': (count, 16, 3, 3), 'b': (count, 10), 'c': (count, 3)}
        translation = torch.tensor(np.array(translations).reshape(shape['c'])).float() if self.config.fusion else None
        slopes = self._slopes(truth, boxes, geometry) if self.sees_lines_of_sight else None
        return HandPrediction(
            torch.tensor(np.array(rotations).reshape(shape['r'])).float(),
            torch.tensor(np.array(betas).reshape(shape['b'])).float(),
            torch.tensor(np.array(cameras).reshape(shape['c'])).float(),
            translation,
            slopes,
        )

    @staticmethod
    def _slopes(truth: RenderedFrame, boxes, geometry) -> torch.Tensor:
        camera = geometry.intrinsics_to_network(truth.intrinsics)
        intrinsics = torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy])
        return ray_slopes_of_boxes(boxes.boxes, intrinsics.expand(len(boxes.boxes), 4).to(boxes.boxes), boxes.is_right)

    def _crop_camera(self, hand: HandTruth, box: np.ndarray, truth: RenderedFrame) -> np.ndarray:
        """s, tx, ty of a network that learned to cover the keypoints, seen larger by ``size_error``."""
        center, size = crop_square(box, self.config.hand.crop_rescale)
        is_right = hand.side == HandSide.RIGHT
        identity = torch.eye(3).expand(1, 16, 3, 3)
        mesh = hand_layer()(identity, torch.tensor(hand.betas[None]).float(), torch.tensor([is_right]))
        points = hand.keypoints_camera - hand.wrist_camera
        if self.sees_lines_of_sight:
            x, y = (center - [truth.intrinsics.cx, truth.intrinsics.cy]) / [truth.intrinsics.fx, truth.intrinsics.fy]
            points = points @ ray_rotations(torch.tensor([[x, y]], dtype=torch.float64))[0].numpy()
        points = points + mesh.rest_root[0].numpy()
        in_crop = (hand.keypoints_image - center) / size
        in_crop = in_crop.mean(axis=0) + self.size_error * (in_crop - in_crop.mean(axis=0))
        mirror = 1.0 if is_right else -1.0
        return fitted_crop_camera(points * [mirror, 1.0, 1.0], in_crop * [mirror, 1.0])


_LAYER: list[HandLayer] = []


def hand_layer() -> HandLayer:
    if not _LAYER:
        _LAYER.append(HandLayer(load_open_hand()))
    return _LAYER[0]


DEFAULTS = {'map': MapConfig(min_confidence=2.0), 'device': 'cpu', 'detection': DetectionConfig(detector='topic')}


def make_reconstructor(network: nn.Module | None = None, detector=None, **settings) -> OnlineReconstructor:
    config = ReconstructorConfig(**{**DEFAULTS, **settings})
    network = TruthNetwork() if network is None else network
    return OnlineReconstructor(network, hand_layer(), detector or make_detector(config), config)


def camera_frame(rendered: RenderedFrame, index: int, **changes) -> CameraFrame:
    detections = tuple(HandDetection(hand.box, hand.side, 0.9) for hand in rendered.hands)
    frame = CameraFrame(rendered.image, index * FRAME_NS, rendered.intrinsics, detections)
    return replace(frame, **changes)


def play(reconstructor: OnlineReconstructor, frames, start: int = 0, **changes):
    """Results of rendered frames in a row."""
    results = []
    for index, rendered in enumerate(frames):
        reconstructor.network.frame = rendered
        results.append(reconstructor.process(camera_frame(rendered, start + index, **changes)))
    return results


def depth_at_network(truth: RenderedFrame, geometry: ImageGeometry) -> np.ndarray:
    """True depth at the network's pixel centres; nearest pixel where surfaces meet."""
    grid = np.stack(np.meshgrid(np.arange(geometry.width), np.arange(geometry.height)), -1)
    x, y = geometry.to_source(grid).astype(np.float32).transpose(2, 0, 1)
    nearest = cv2.remap(truth.depth, x, y, cv2.INTER_NEAREST)
    with np.errstate(divide='ignore'):
        inverse = np.where(truth.depth > 0.0, 1.0 / truth.depth, 0.0).astype(np.float32)
    smooth = 1.0 / np.maximum(cv2.remap(inverse, x, y, cv2.INTER_LINEAR), 1e-6)
    return np.where(np.abs(smooth - nearest) < 0.01 * nearest, smooth, nearest)


def _nearest(hands, box, side) -> HandTruth:
    return min((h for h in hands if h.side == side), key=lambda h: np.abs(h.box - box).sum())


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).float()[None]


def _of_nothing(sides: tuple[int, int], hands: int) -> Prediction:
    """A wall a metre away and flat hands."""
    height, width = sides
    points = unproject_depth(np.ones((height, width)), Intrinsics.from_field_of_view(60.0, width, height))
    pose = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    scene = ScenePrediction(_tensor(points), torch.ones(1, height, width), pose, torch.zeros(1), torch.zeros(1))
    flat = torch.eye(3).expand(hands, 16, 3, 3)
    camera, translation = torch.ones(hands, 3), torch.ones(hands, 3)
    return Prediction(scene, HandPrediction(flat, torch.zeros(hands, 10), camera, translation))


def _poisoned(prediction: Prediction, name: str) -> Prediction:
    part = 'scene' if hasattr(prediction.scene, name) else 'hands'
    values = getattr(prediction, part)
    return replace(prediction, **{part: replace(values, **{name: getattr(values, name) * float('nan')})})
