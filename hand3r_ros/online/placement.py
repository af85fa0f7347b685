"""From the outputs of the network to metric hand meshes in the camera frame.

The wrist position comes from the network's translation head, or ("aligned") from geometry alone: HaMeR's crop camera
says where the hand appears, which with the true focal length gives a direction and, through the apparent size, a first
distance; the predicted scene points on the hand's visible surface then give the distance that fits the scene
(``scene_alignment``). Every hand says what its place rests on (``HandPlacement``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from hand3r_ros.geometry import Intrinsics, make_transform, project_points, transform_points
from hand3r_ros.hand_model.keypoint_objective import HandFit
from hand3r_ros.hand_model.layer import HandLayer, HandMesh
from hand3r_ros.hand_model.mirror import mirror_points, mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.camera import (
    full_image_translation,
    mirror_crop_camera,
    perspective_translation,
    project_to_crop,
)
from hand3r_ros.network.hand.crop import HandCrop
from hand3r_ros.network.hand.viewing_ray import mirror_slopes, ray_rotations
from hand3r_ros.network.types import HandPrediction
from hand3r_ros.online.config import PlacementConfig
from hand3r_ros.online.results import ArticulationSource, HandDetection, HandPlacement, HandResult, PlacementSource
from hand3r_ros.online.scene_alignment import align_to_scene

FloatArray = NDArray[np.floating]

NEAREST_WRIST, FARTHEST_WRIST = 0.03, 20.0
"""Metres in front of the camera; a hand predicted outside of it is no hand."""


@dataclass(frozen=True)
class PlacedHand:
    """A metric hand in the camera's optical frame; rotations are those of the hand's own side."""

    side: HandSide
    vertices_camera: FloatArray  # (778, 3) m
    keypoints_camera: FloatArray  # (21, 3) m, OpenPose order
    T_camera_wrist: FloatArray  # (4, 4)
    hand_pose: FloatArray  # (45,) axis-angle, MANO order
    betas: FloatArray  # (10,)
    rest_root: FloatArray  # (3,) m, wrist joint of the rest pose in model axes, own side
    placement: HandPlacement | None = None

    def moved_to(self, T_camera_wrist: FloatArray) -> PlacedHand:
        """The same hand, carried rigidly to another wrist pose."""
        turn = T_camera_wrist[:3, :3] @ self.T_camera_wrist[:3, :3].T
        old, new = self.T_camera_wrist[:3, 3], T_camera_wrist[:3, 3]
        return replace(
            self,
            vertices_camera=(self.vertices_camera - old) @ turn.T + new,
            keypoints_camera=(self.keypoints_camera - old) @ turn.T + new,
            T_camera_wrist=T_camera_wrist,
        )


@dataclass(frozen=True)
class SceneView:
    """The scene as 'aligned' needs it."""

    depth: FloatArray  # (h, w) m along z; values that are not finite or not positive do not count
    intrinsics: Intrinsics  # of the network's image
    source_intrinsics: Intrinsics  # of the source image, in which the crops were cut
    measured: bool = False  # by a depth camera, not predicted


def check_translation(config: PlacementConfig, has_translation_head: bool) -> None:
    """Raises ValueError when the settings ask for a translation head that the weights do not have."""
    if config.translation == 'network' and not has_translation_head:
        raise ValueError(
            "placement.translation is 'network' but these weights have no translation head; use 'aligned' or 'auto'"
        )


def place_hands(
    prediction: HandPrediction,
    crops: list[HandCrop],
    sides: list[HandSide],
    layer: HandLayer,
    scene: SceneView,
    config: PlacementConfig,
) -> list[PlacedHand | None]:
    """Metric hands in the order of ``sides``; None for one without a believable position."""
    if not sides:
        return []
    device = prediction.rotations.device
    is_right = torch.tensor([side == HandSide.RIGHT for side in sides], device=device)
    mesh = _to_cpu(layer(prediction.rotations, prediction.betas, is_right))
    by_network = config.translation == 'network' or (config.translation == 'auto' and not scene.measured)
    if prediction.translation is not None and by_network:
        wrists, placements = _numpy(prediction.translation), [HandPlacement(PlacementSource.NETWORK)] * len(sides)
    else:
        wrists, placements = _aligned_wrists(prediction, crops, is_right.cpu(), mesh, layer, scene, config)
    rotations, betas = _numpy(prediction.rotations), _numpy(prediction.betas)
    return [
        _placed(sides[i], wrists[i], rotations[i], betas[i], mesh, i, placements[i])
        if _is_believable(wrists[i])
        else None
        for i in range(len(sides))
    ]


def place_fitted_hands(sides: list[HandSide], fits: list[HandFit], layer: HandLayer) -> list[PlacedHand]:
    """Meshes of hands that were fitted to landmarks, in the order given."""
    if not sides:
        return []
    device = layer.root_rest.device
    rotations = np.stack([np.concatenate([fit.orientation[None], fit.local_rotations]) for fit in fits])
    betas = np.stack([fit.betas for fit in fits])
    is_right = torch.tensor([side == HandSide.RIGHT for side in sides], device=device)
    with torch.inference_mode():
        mesh = _to_cpu(layer(torch.from_numpy(rotations).to(device), torch.from_numpy(betas).to(device), is_right))
    placed = []
    for index, (side, fit) in enumerate(zip(sides, fits, strict=True)):
        wrist = fit.wrist if side == HandSide.RIGHT else mirror_points(fit.wrist)
        placement = HandPlacement(PlacementSource.LANDMARKS, fit.distance_deviation)
        placed.append(_placed(side, wrist, rotations[index], betas[index], mesh, index, placement))
    return placed


def crop_camera_wrists(
    prediction: HandPrediction, crops: list[HandCrop], is_right: Tensor, mesh: HandMesh, camera: Intrinsics
) -> FloatArray:
    """(N, 3) wrist positions in metres from the crop cameras alone, with HaMeR's formula for the model's origin.

    Args:
        prediction: of the hand stream, right-looking.
        crops: where each hand was cut out.
        is_right: [N] bool, on the CPU.
        mesh: the predicted hands of their own sides, on the CPU.
        camera: of the source image.

    """
    cameras = mirror_crop_camera(prediction.crop_camera.cpu(), is_right).double()
    origin = full_image_translation(cameras, *_crop_places(crops), *_lens(camera))
    return _numpy(origin) + _numpy(mesh.rest_root)


def apparent_wrists(
    prediction: HandPrediction, crops: list[HandCrop], is_right: Tensor, mesh: HandMesh, camera: Intrinsics
) -> FloatArray:
    """(N, 3) wrist positions in metres at which the camera sees the hands where the crop cameras show them.

    As ``crop_camera_wrists``, but in the perspective of the true camera: ``perspective_translation`` says why.
    """
    cameras = mirror_crop_camera(prediction.crop_camera.cpu(), is_right).double()
    center, size = _crop_places(crops)
    in_crop = project_to_crop(_as_shown(mesh, prediction.slopes, is_right), cameras)  # [N, 21, 2]
    pixels = center[:, None] + size[:, None, None] * in_crop
    return _numpy(perspective_translation(mesh.keypoints.double(), pixels, *_lens(camera)))


def hand_result(
    detection: HandDetection,
    hand: PlacedHand,
    track_id: int,
    T_world_camera: FloatArray,
    camera: Intrinsics,
    fit: HandFit | None = None,
) -> HandResult:
    """Everything about one hand in camera, world and image.

    Args:
        detection: where it was found.
        hand: the hand in the camera's frame.
        track_id: who it is.
        T_world_camera: (4, 4).
        camera: of the source image.
        fit: where the hand was fitted to landmarks.

    """
    T_world_wrist = T_world_camera @ hand.T_camera_wrist
    return HandResult(
        side=hand.side,
        track_id=track_id,
        score=detection.score,
        box=np.asarray(detection.box, np.float64),
        vertices_camera=hand.vertices_camera,
        keypoints_camera=hand.keypoints_camera,
        vertices_world=transform_points(T_world_camera, hand.vertices_camera),
        keypoints_world=transform_points(T_world_camera, hand.keypoints_camera),
        keypoints_image=project_points(hand.keypoints_camera, camera),
        T_camera_wrist=hand.T_camera_wrist,
        T_world_wrist=T_world_wrist,
        global_orient=Rotation.from_matrix(hand.T_camera_wrist[:3, :3]).as_rotvec(),
        hand_pose=hand.hand_pose,
        betas=hand.betas,
        translation=hand.T_camera_wrist[:3, 3] - hand.rest_root,
        placement=hand.placement,
        articulation=ArticulationSource.NETWORK if fit is None else ArticulationSource.LANDMARKS,
        keypoint_confidence=None if fit is None else fit.keypoint_agreement * detection.score,
        fit=fit,
    )


def hand_faces(layer: HandLayer) -> NDArray[np.int64]:
    """(F, 3) triangles of the layer's hand (winding of the right hand)."""
    return np.asarray(layer.mano.faces, np.int64)


def _placed(
    side: HandSide,
    wrist: FloatArray,
    rotations: FloatArray,
    betas: FloatArray,
    mesh: HandMesh,
    index: int,
    placement: HandPlacement,
) -> PlacedHand:
    own = rotations if side == HandSide.RIGHT else mirror_rotations(rotations)
    return PlacedHand(
        side=side,
        vertices_camera=_numpy(mesh.vertices[index]) + wrist,
        keypoints_camera=_numpy(mesh.keypoints[index]) + wrist,
        T_camera_wrist=make_transform(own[0], wrist),
        hand_pose=Rotation.from_matrix(own[1:]).as_rotvec().reshape(-1),
        betas=betas,
        rest_root=_numpy(mesh.rest_root[index]),
        placement=placement,
    )


def _aligned_wrists(
    prediction: HandPrediction,
    crops: list[HandCrop],
    is_right: Tensor,
    mesh: HandMesh,
    layer: HandLayer,
    scene: SceneView,
    config: PlacementConfig,
) -> tuple[FloatArray, list[HandPlacement]]:
    """(N, 3) wrist positions in metres, and what each rests on."""
    wrists = apparent_wrists(prediction, crops, is_right, mesh, scene.source_intrinsics)
    vertices, keypoints, faces = _numpy(mesh.vertices), _numpy(mesh.keypoints), hand_faces(layer)
    placements = []
    for i, wrist in enumerate(wrists):
        if not _is_believable(wrist):  # this hand is left out
            placements.append(HandPlacement(PlacementSource.CROP_CAMERA))
            continue
        found = align_to_scene(wrist, vertices[i], keypoints[i], faces, scene.depth, scene.intrinsics, config)
        wrists[i] = found.wrist
        on_scene = PlacementSource.MEASURED if scene.measured else PlacementSource.SCENE
        source = on_scene if found.on_scene else PlacementSource.CROP_CAMERA
        placements.append(HandPlacement(source, found.deviation, found.refused))
    return wrists, placements


def on_readings(
    hands: list[PlacedHand | None], scene: SceneView, faces: NDArray[np.int64], config: PlacementConfig
) -> list[PlacedHand | None]:
    """Hands fitted to landmarks, moved along their lines of sight until their visible surface is where it was measured.

    A hand stays where the landmarks have it when nothing was measured on it, or something else (``align_to_scene``).
    """
    if not scene.measured:
        return hands
    return [
        hand if hand is None or not _by_landmarks(hand) else _on_readings(hand, scene, faces, config) for hand in hands
    ]


def _by_landmarks(hand: PlacedHand) -> bool:
    return hand.placement is not None and hand.placement.source == PlacementSource.LANDMARKS


def _on_readings(hand: PlacedHand, scene: SceneView, faces: NDArray[np.int64], config: PlacementConfig) -> PlacedHand:
    wrist = hand.T_camera_wrist[:3, 3]
    found = align_to_scene(
        wrist,
        hand.vertices_camera - wrist,
        hand.keypoints_camera - wrist,
        faces,
        scene.depth,
        scene.intrinsics,
        config,
    )
    if not found.on_scene or not _is_believable(found.wrist):
        return hand
    moved = hand.moved_to(make_transform(hand.T_camera_wrist[:3, :3], found.wrist))
    return replace(moved, placement=HandPlacement(PlacementSource.MEASURED, found.deviation))


def _as_shown(mesh: HandMesh, slopes: Tensor | None, is_right: Tensor) -> Tensor:
    """Keypoints [N, 21, 3] of the model at its origin, as the crop camera looks at them."""
    keypoints = mesh.keypoints.double()
    if slopes is not None:
        turn = ray_rotations(mirror_slopes(slopes.cpu(), is_right).double())  # camera from line of sight
        keypoints = keypoints @ turn
    return keypoints + mesh.rest_root[:, None].double()


def _crop_places(crops: list[HandCrop]) -> tuple[Tensor, Tensor]:
    """Centres [N, 2] and sides [N] in pixels of the source image."""
    center = torch.tensor(np.stack([crop.center for crop in crops]), dtype=torch.float64)
    return center, torch.tensor([crop.size for crop in crops], dtype=torch.float64)


def _lens(camera: Intrinsics) -> tuple[Tensor, Tensor]:
    """Focal lengths [2] and principal point [2] in pixels."""
    focal = torch.tensor([camera.fx, camera.fy], dtype=torch.float64)
    return focal, torch.tensor([camera.cx, camera.cy], dtype=torch.float64)


def _is_believable(wrist: FloatArray) -> bool:
    return bool(np.isfinite(wrist).all() and NEAREST_WRIST <= wrist[2] <= FARTHEST_WRIST)


def _to_cpu(mesh: HandMesh) -> HandMesh:
    return HandMesh(mesh.vertices.cpu(), mesh.joints.cpu(), mesh.keypoints.cpu(), mesh.rest_root.cpu())


def _numpy(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)
