"""MANO annotations of data sets, turned into the parameters this project's networks predict.

Data sets annotate left hands with MANO_LEFT and its own angles, the networks see every hand as a right hand. So a left
hand is described by its *twin*: the mirror image of the left model, which is a right hand. The released MANO_LEFT has
the x offsets of its shape space with the sign of the right hand's (smplx issue 48), and DexYCB was annotated with it as
it is (dex-ycb-toolkit issue 28). The twin keeps this, so meshes come out as annotated; the betas that are handed on are
those of the right model whose shape is nearest.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_lab.datasets.samples import AnnotatedHand
from hand3r_ros.geometry import Intrinsics, project_points
from hand3r_ros.hand_model.data import HandModelData, find_mano_file, load_mano
from hand3r_ros.hand_model.joints import DEXYCB_FINGERTIP_VERTICES, OPENPOSE_FROM_MANO
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_axis_angle, mirror_points, mirror_rotations
from hand3r_ros.hand_model.sides import HandSide

LEFT_FINGERTIP_VERTICES = (745, 317, 445, 556, 673)
"""As DEXYCB_FINGERTIP_VERTICES, for left hands (manopth)."""

FINGERTIPS = {HandSide.RIGHT: DEXYCB_FINGERTIP_VERTICES, HandSide.LEFT: LEFT_FINGERTIP_VERTICES}

Array = NDArray[np.float64]


class AnnotationModel:
    """Poses annotated hands of both sides.

    Args:
        right: MANO_RIGHT.
        left: MANO_LEFT as released; None stands it in by the mirrored right hand with the released shape space.
    """

    def __init__(self, right: HandModelData, left: HandModelData | None = None) -> None:
        self.hand_model_id = right.id
        twin = mirrored_twin(left) if left is not None else _twin_with_released_shape_space(right)
        self._models = {HandSide.RIGHT: right, HandSide.LEFT: twin}
        self._layers = {side: HandLayer(model) for side, model in self._models.items()}
        self._right_betas = {HandSide.RIGHT: np.eye(10), HandSide.LEFT: _betas_between(twin, right)}

    @classmethod
    def load(cls, path: str | Path) -> AnnotationModel:
        """From ``MANO_RIGHT.pkl`` (or .npz, or their folder); ``MANO_LEFT`` beside it is used when it is there."""
        path = find_mano_file(path)
        right, folder = load_mano(path), path.parent
        left = next((file for file in (folder / 'MANO_LEFT.pkl', folder / 'MANO_LEFT.npz') if file.is_file()), None)
        return cls(right, load_mano(left, HandSide.LEFT) if left else None)

    def axis_angle_from_components(self, coefficients: Array, side: HandSide) -> Array:
        """(45,) joint angles from 45 principal components, with the mean pose added (flat_hand_mean off)."""
        model = self._models[side]
        pose = model.hands_mean.astype(float) + np.asarray(coefficients, float) @ model.hands_components.astype(float)
        # The twin's components describe its own, right-looking angles; coefficients are the same for both sides.
        return pose if side == HandSide.RIGHT else mirror_axis_angle(pose.reshape(15, 3)).reshape(45)

    def hand(
        self,
        side: HandSide,
        axis_angle: Array,
        betas: Array,
        translation: Array,
        intrinsics: Intrinsics,
        keypoints_camera: Array | None = None,
        keypoints_image: Array | None = None,
    ) -> AnnotatedHand:
        """One hand.

        Args:
            side: whose model the angles belong to.
            axis_angle: (48,) global orientation to camera axes and 15 joint rotations of that side, absolute.
            betas: (10,) as annotated.
            translation: (3,) m, MANO's ``trans``: added to the posed model in camera axes.
            intrinsics: of the image.
            keypoints_camera: (21, 3) m when the data set gives them, else from the model.
            keypoints_image: (21, 2) px when the data set gives them, else projected.
        """
        own = Rotation.from_rotvec(np.asarray(axis_angle, float).reshape(16, 3)).as_matrix()  # (16, 3, 3)
        rotations = own if side == HandSide.RIGHT else mirror_rotations(own)
        with torch.no_grad():
            mesh = self._layers[side](
                torch.from_numpy(rotations).float()[None],
                torch.from_numpy(np.asarray(betas, np.float32))[None],
                torch.tensor([side == HandSide.RIGHT]),
            )
        wrist = mesh.rest_root[0].double().numpy() + translation
        vertices = mesh.vertices[0].double().numpy() + wrist
        joints = mesh.joints[0].double().numpy() + wrist
        if keypoints_camera is None:
            keypoints_camera = keypoints_of(joints, vertices, FINGERTIPS[side])
        if keypoints_image is None:
            keypoints_image = project_points(keypoints_camera, intrinsics)
        return AnnotatedHand(
            side=side,
            rotations=rotations,
            betas=self._right_betas[side] @ betas,
            wrist_camera=np.asarray(keypoints_camera[0], float),
            joints_camera=joints,
            vertices_camera=vertices,
            keypoints_camera=keypoints_camera,
            keypoints_image=keypoints_image,
        )


def keypoints_of(joints: Array, vertices: Array, fingertips: tuple[int, ...]) -> Array:
    """(21, 3) OpenPose keypoints from (16, 3) MANO joints and (778, 3) vertices with these fingertip vertices."""
    return np.concatenate([joints, vertices[list(fingertips)]])[list(OPENPOSE_FROM_MANO)]


def mirrored_twin(left: HandModelData) -> HandModelData:
    """The right hand that is the mirror image of a left model's hand with mirrored angles and the same betas."""
    signs = np.array([-1.0, 1.0, 1.0])
    pose_signs = np.tile(np.outer(signs, signs).ravel(), 15)  # of the entries of M (R - I) M
    joint_signs = np.tile([1.0, -1.0, -1.0], 15)
    return dataclasses.replace(
        left,
        v_template=mirror_points(left.v_template),
        shapedirs=(left.shapedirs * signs[:, None]).astype(np.float32),
        posedirs=(left.posedirs * signs[:, None] * pose_signs).astype(np.float32),
        hands_components=(left.hands_components * joint_signs).astype(np.float32),
        hands_mean=(left.hands_mean * joint_signs).astype(np.float32),
        f=np.ascontiguousarray(left.f[:, ::-1]),
    )


def _twin_with_released_shape_space(right: HandModelData) -> HandModelData:
    """The twin of MANO_LEFT where only MANO_RIGHT is there: left shape offsets equal the right ones, unmirrored."""
    signs = np.array([-1.0, 1.0, 1.0], np.float32)
    return dataclasses.replace(right, shapedirs=right.shapedirs * signs[:, None])


def _betas_between(source: HandModelData, target: HandModelData) -> Array:
    """(10, 10) matrix from betas of ``source`` to those of ``target`` with the nearest wrist-relative vertices."""
    matrix, *_ = np.linalg.lstsq(_relative_shapes(target), _relative_shapes(source), rcond=None)
    return matrix


def _relative_shapes(model: HandModelData) -> Array:
    """(778 * 3, 10) vertex offsets per beta, relative to the wrist joint's."""
    shapes = model.shapedirs.astype(float)
    wrist = np.einsum('v,vcb->cb', model.J_regressor[0].astype(float), shapes)
    return (shapes - wrist).reshape(-1, shapes.shape[-1])
