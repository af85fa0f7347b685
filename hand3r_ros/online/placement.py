"""Hands from the network's numbers to metric meshes in the camera frame.

The wrist position comes from the network's translation head, or ("aligned") from geometry alone: HaMeR's crop camera
gives the direction and, through the apparent size, a first distance; the predicted scene points that lie on the
hand's visible surface then give the distance that fits the scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from hand3r_ros.geometry import Intrinsics, make_transform, project_points, transform_points
from hand3r_ros.hand_model.layer import HandLayer, HandMesh
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.camera import full_image_translation, mirror_crop_camera
from hand3r_ros.network.hand.crop import HandCrop
from hand3r_ros.network.types import HandPrediction
from hand3r_ros.online.config import PlacementConfig
from hand3r_ros.online.hand_mask import mesh_depth
from hand3r_ros.online.results import HandDetection, HandResult

FloatArray = NDArray[np.floating]

NEAREST_WRIST, FARTHEST_WRIST = 0.03, 20.0
"""Metres in front of the camera; a hand predicted outside of it is no hand."""

_ALIGNMENT_STEPS = 6
_ALIGNED_WITHIN = 5e-4
"""Metres."""

_SIZE_UNCERTAINTY = 0.2
"""Relative standard deviation of a distance from apparent size: hands differ by some 10 %, the network's scale adds."""

_OFFSET_BIN = 0.01
"""Metres; resolution at which the offset between scene and hand is searched."""


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

    def moved_to(self, T_camera_wrist: FloatArray) -> PlacedHand:
        """The same hand, carried rigidly to another wrist pose."""
        turn = T_camera_wrist[:3, :3] @ self.T_camera_wrist[:3, :3].T
        old, new = self.T_camera_wrist[:3, 3], T_camera_wrist[:3, 3]
        return PlacedHand(
            side=self.side,
            vertices_camera=(self.vertices_camera - old) @ turn.T + new,
            keypoints_camera=(self.keypoints_camera - old) @ turn.T + new,
            T_camera_wrist=T_camera_wrist,
            hand_pose=self.hand_pose,
            betas=self.betas,
            rest_root=self.rest_root,
        )


@dataclass(frozen=True)
class SceneView:
    """The predicted scene as 'aligned' needs it."""

    depth: FloatArray  # (h, w) m along z
    intrinsics: Intrinsics  # of the network's image
    source_intrinsics: Intrinsics  # of the source image, in which the crops were cut


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
    if prediction.translation is not None and config.translation != 'aligned':
        wrists = _numpy(prediction.translation)
    else:
        wrists = _aligned_wrists(prediction, crops, is_right, mesh, layer, scene, config)
    rotations, betas = _numpy(prediction.rotations), _numpy(prediction.betas)
    return [
        _placed(sides[i], wrists[i], rotations[i], betas[i], mesh, i) if _is_believable(wrists[i]) else None
        for i in range(len(sides))
    ]


def hand_result(
    detection: HandDetection, hand: PlacedHand, track_id: int, T_world_camera: FloatArray, camera: Intrinsics
) -> HandResult:
    """Everything about one hand in camera, world and image (``camera`` is that of the source image)."""
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
    )


def hand_faces(layer: HandLayer) -> NDArray[np.int64]:
    """(F, 3) triangles of the layer's hand (winding of the right hand)."""
    return np.asarray(layer.mano.faces, np.int64)


def _placed(
    side: HandSide, wrist: FloatArray, rotations: FloatArray, betas: FloatArray, mesh: HandMesh, index: int
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
    )


def _aligned_wrists(
    prediction: HandPrediction,
    crops: list[HandCrop],
    is_right: Tensor,
    mesh: HandMesh,
    layer: HandLayer,
    scene: SceneView,
    config: PlacementConfig,
) -> FloatArray:
    """(N, 3) wrist positions in metres."""
    camera = scene.source_intrinsics
    origin = full_image_translation(
        mirror_crop_camera(prediction.crop_camera.cpu(), is_right.cpu()).double(),
        torch.tensor(np.stack([crop.center for crop in crops]), dtype=torch.float64),
        torch.tensor([crop.size for crop in crops], dtype=torch.float64),
        torch.tensor([camera.fx, camera.fy], dtype=torch.float64),
        torch.tensor([camera.cx, camera.cy], dtype=torch.float64),
    )
    wrists = _numpy(origin) + _numpy(mesh.rest_root)
    faces = hand_faces(layer)
    return np.stack(
        [
            align_to_scene(wrist, _numpy(mesh.vertices[i]), faces, scene.depth, scene.intrinsics, config)
            for i, wrist in enumerate(wrists)
        ]
    )


def align_to_scene(
    wrist: FloatArray,
    vertices: FloatArray,
    faces: NDArray[np.int64],
    depth: FloatArray,
    intrinsics: Intrinsics,
    config: PlacementConfig,
) -> FloatArray:
    """Moves a hand along its line of sight until its visible surface lies on the scene's points.

    Args:
        wrist: (3,) metres in the camera frame: where the apparent size puts the hand.
        vertices: (V, 3) metres relative to the wrist, camera axes.
        faces: (F, 3).
        depth: (h, w) metres along z, of the predicted scene; values that are not finite or not positive do not count.
        intrinsics: of ``depth``.
        config: when to distrust the scene.

    Returns:
        (3,) the moved wrist; ``wrist`` itself when the scene says nothing, or something implausible.

    """
    if not _is_believable(wrist):
        return wrist
    middle = vertices.mean(axis=0)
    moved = wrist
    for _ in range(_ALIGNMENT_STEPS):
        surface = mesh_depth(vertices + moved, faces, intrinsics)
        on_hand = np.isfinite(surface) & np.isfinite(depth) & (depth > 0.0)
        if np.count_nonzero(on_hand) < config.min_scene_points:
            return wrist
        centre = moved + middle
        offset = surface_offset(depth[on_hand] - surface[on_hand], _SIZE_UNCERTAINTY * centre[2])
        moved = moved + centre * (offset / centre[2])
        total = (moved + middle)[2] / (wrist + middle)[2]
        if not 1.0 / config.max_depth_correction <= total <= config.max_depth_correction:
            return wrist
        if abs(offset) < _ALIGNED_WITHIN:
            break
    return moved


def surface_offset(differences: FloatArray, uncertainty: float) -> float:
    """How far the scene lies behind a hand's visible surface, where most of the hand agrees on it.

    A right mesh at a wrong distance differs from the scene by one and the same amount wherever the hand is seen.
    Whatever hides it, or shows beside it, differs by many amounts. So the densest place of the differences counts,
    weighted by how believable it is next to the apparent size, even where most of the hand is hidden.

    Args:
        differences: (N,) metres, scene depth minus mesh depth.
        uncertainty: metres, standard deviation of the distance from apparent size.

    """
    limit = 4.0 * uncertainty
    inside = differences[np.abs(differences) < limit]
    if not len(inside):
        return float(np.clip(np.median(differences), -limit, limit))
    bins = max(3, int(np.ceil(2.0 * limit / _OFFSET_BIN)))
    counts, edges = np.histogram(inside, bins, (-limit, limit))
    density = np.convolve(counts, [0.5, 1.0, 0.5], mode='same')
    centres = (edges[:-1] + edges[1:]) / 2.0
    best = centres[np.argmax(density * np.exp(-0.5 * (centres / uncertainty) ** 2))]
    near = np.abs(inside - best) <= 2.0 * _OFFSET_BIN
    return float(np.median(inside[near]))


def _is_believable(wrist: FloatArray) -> bool:
    return bool(np.isfinite(wrist).all() and NEAREST_WRIST <= wrist[2] <= FARTHEST_WRIST)


def _to_cpu(mesh: HandMesh) -> HandMesh:
    return HandMesh(mesh.vertices.cpu(), mesh.joints.cpu(), mesh.keypoints.cpu(), mesh.rest_root.cpu())


def _numpy(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)
