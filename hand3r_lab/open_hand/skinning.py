"""Skinning in numpy for the build: linear blend (what the shipped model uses) and dual quaternions (what it imitates).

Linear blending of rotations shrinks bent joints. Dual quaternions keep the volume; the difference between both,
expressed in the rest pose, is what the pose blend shapes of the open hand reproduce.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.hand_model.joints import JOINT_PARENTS, NUM_JOINTS

FloatArray = NDArray[np.float64]


def skinning_transforms(joints: FloatArray, rotations: FloatArray) -> FloatArray:
    """(16, 3, 4) maps from rest to posed model axes, for rest joints (16, 3) and local rotations (16, 3, 3)."""
    world = np.zeros((NUM_JOINTS, 3, 4))
    world[0, :, :3], world[0, :, 3] = rotations[0], joints[0]
    for joint in range(1, NUM_JOINTS):
        parent = JOINT_PARENTS[joint]
        world[joint, :, :3] = world[parent, :, :3] @ rotations[joint]
        world[joint, :, 3] = world[parent, :, :3] @ (joints[joint] - joints[parent]) + world[parent, :, 3]
    world[:, :, 3] -= np.einsum('jab,jb->ja', world[:, :, :3], joints)
    return world


def linear_blend(vertices: FloatArray, weights: FloatArray, transforms: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Posed vertices (V, 3) and the blended linear parts (V, 3, 3)."""
    blended = np.einsum('vj,jab->vab', weights, transforms)
    return np.einsum('vab,vb->va', blended[:, :, :3], vertices) + blended[:, :, 3], blended[:, :, :3]


def dual_quaternion_blend(vertices: FloatArray, weights: FloatArray, transforms: FloatArray) -> FloatArray:
    """Posed vertices (V, 3) by dual-quaternion skinning (Kavan et al. 2007).

    q and -q are the same rotation but blend differently. Every joint takes the sign nearest to its parent's, because
    those two are blended: choosing signs relative to the wrist flips the end of a finger that has turned by more than
    180 degrees in all, and tears the skin of its last joint.
    """
    real = np.roll(Rotation.from_matrix(transforms[:, :, :3]).as_quat(), 1, axis=1)  # w first
    for joint in range(1, NUM_JOINTS):
        if real[joint] @ real[JOINT_PARENTS[joint]] < 0.0:
            real[joint] *= -1.0
    translation = transforms[:, :, 3]
    dual = np.empty_like(real)
    dual[:, 0] = -0.5 * np.einsum('ja,ja->j', translation, real[:, 1:])
    dual[:, 1:] = 0.5 * (real[:, :1] * translation + np.cross(translation, real[:, 1:]))
    blended_real, blended_dual = weights @ real, weights @ dual
    length = np.linalg.norm(blended_real, axis=1, keepdims=True)
    blended_real, blended_dual = blended_real / length, blended_dual / length
    w, xyz = blended_real[:, :1], blended_real[:, 1:]
    rotated = vertices + 2.0 * np.cross(xyz, np.cross(xyz, vertices) + w * vertices)
    return rotated + 2.0 * (w * blended_dual[:, 1:] - blended_dual[:, :1] * xyz + np.cross(xyz, blended_dual[:, 1:]))
