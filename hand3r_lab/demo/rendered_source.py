"""A rendered hand-object scene as a frame source, with its ground truth in the form of reconstructed hands. No ROS."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.sequence import HandTruth, RenderedFrame, SceneConfig, Sequence
from hand3r_ros.geometry import make_transform, transform_points
from hand3r_ros.hand_model.data import HandModelData, load_open_hand
from hand3r_ros.hand_model.mirror import mirror_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.frame_sources import GroundTruth, SourceFrame
from hand3r_ros.online.results import HandResult


class RenderedSource:
    """Plays ``synthetic.Sequence``; the hands are open hands."""

    is_live = False

    def __init__(self, seed: int, config: SceneConfig) -> None:
        self._sequence = Sequence(seed, config)
        self._hand_model = load_open_hand()
        self.fps = config.fps
        self.faults: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Seed and size of the scene."""
        config = self._sequence.config
        size = f'{config.width}x{config.height}'
        return f'rendered scene {self._sequence.seed}, {config.frames} frames of {size} at {config.fps:g} Hz'

    def frames(self) -> Iterator[SourceFrame]:
        """All frames of the scene."""
        for index in range(len(self._sequence)):
            yield self._source_frame(self._sequence.frame(index))

    def _source_frame(self, frame: RenderedFrame) -> SourceFrame:
        hands = tuple(hand_result(truth, frame.T_world_camera, self._hand_model) for truth in frame.hands)
        return SourceFrame(frame.image, frame.intrinsics, GroundTruth(frame.T_world_camera, hands, frame.depth))


def hand_result(truth: HandTruth, T_world_camera: NDArray[np.float64], model: HandModelData) -> HandResult:
    """The true hand as a result of the reconstruction; its score is the visible fraction."""
    T_camera_wrist = make_transform(truth.rotations[0], truth.wrist_camera)
    return HandResult(
        side=truth.side,
        track_id=truth.instance_id,
        score=truth.visible_fraction,
        box=truth.box,
        vertices_camera=truth.vertices_camera,
        keypoints_camera=truth.keypoints_camera,
        vertices_world=transform_points(T_world_camera, truth.vertices_camera),
        keypoints_world=transform_points(T_world_camera, truth.keypoints_camera),
        keypoints_image=truth.keypoints_image,
        T_camera_wrist=T_camera_wrist,
        T_world_wrist=T_world_camera @ T_camera_wrist,
        global_orient=Rotation.from_matrix(truth.rotations[0]).as_rotvec(),
        hand_pose=Rotation.from_matrix(truth.rotations[1:]).as_rotvec().reshape(-1),
        betas=truth.betas,
        translation=truth.wrist_camera - _resting_wrist(truth, model),
    )


def _resting_wrist(truth: HandTruth, model: HandModelData) -> NDArray[np.float64]:
    """(3,) wrist joint of the unposed hand of this shape and side."""
    shaped = model.v_template + model.shapedirs @ truth.betas
    wrist = np.asarray(model.J_regressor[0] @ shaped, float)
    return wrist if truth.side == HandSide.RIGHT else mirror_points(wrist)
