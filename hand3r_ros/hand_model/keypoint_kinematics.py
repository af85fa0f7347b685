"""The 21 keypoints of a MANO-format hand and their derivatives, from anatomical angles; no mesh is computed.

The same keypoints as ``HandLayer`` gives (16 joints, and five fingertip vertices with skinning and pose correctives),
as plain numpy for one hand, because an optimisation evaluates them a dozen times per image. Hands are right-looking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.articulation import SPREAD_SIGNS, TWIST_SIGNS
from hand3r_ros.hand_model.data import OPEN_HAND, HandModelData
from hand3r_ros.hand_model.joints import FINGERTIP_VERTICES, NUM_BETAS, NUM_JOINTS, OPENPOSE_FROM_MANO
from hand3r_ros.hand_model.rig import load_open_hand_rig

FloatArray = NDArray[np.float64]

NUM_FINGERS = 5
NUM_ANGLES = 25
"""15 flexions (finger by finger, from the base outwards), 5 spreads, 5 twists: the fields of ``Articulation``."""

FLEXION, SPREAD, TWIST = slice(0, 15), slice(15, 20), slice(20, 25)
_TIP_OF_FINGER = (1, 2, 4, 3, 0)
"""Index into ``FINGERTIP_VERTICES`` (thumb to little) of each finger in MANO order."""

_FINGERS = np.arange(NUM_FINGERS)
_JOINT_OF_ANGLE = np.array([0, 1, 2, 0, 0])
"""Joint of its finger that each of a finger's five angles turns: three flexions, spread, twist."""

_MOVES_JOINT = (np.arange(3) > _JOINT_OF_ANGLE[:, None]).astype(float)  # (5 angles, 3 joints)
_MOVES_TIP = (np.arange(3) >= _JOINT_OF_ANGLE[:, None]).astype(float)
_COLUMNS = np.concatenate([3 * _FINGERS[:, None] + np.arange(3), 15 + _FINGERS[:, None], 20 + _FINGERS[:, None]], 1)
"""(5, 5) column of each angle of each finger in the 25."""

_JOINT_ROWS = np.broadcast_to((1 + 3 * _FINGERS[:, None] + np.arange(3))[:, None], (NUM_FINGERS, 5, 3))
_JOINT_COLUMNS = np.broadcast_to(_COLUMNS[..., None], (NUM_FINGERS, 5, 3))
_TIP_ROWS = NUM_JOINTS + np.argsort(_TIP_OF_FINGER)
_ORDER = np.array(OPENPOSE_FROM_MANO)
_POINT_ROWS = np.concatenate([np.arange(NUM_JOINTS), _TIP_ROWS])[_ORDER]
_IDENTITY = np.eye(3)


@dataclass(frozen=True, eq=False)
class PosedKeypoints:
    """Keypoints of one hand, relative to the wrist joint, in the axes its orientation rotates to; metres."""

    points: FloatArray  # (21, 3) OpenPose order
    by_angle: FloatArray  # (21, 3, 25) change per radian of each anatomical angle
    by_beta: FloatArray  # (21, 3, 10) change per unit of each shape coefficient


class KeypointKinematics:
    """What of a hand model decides where its keypoints are."""

    def __init__(self, data: HandModelData) -> None:
        """Takes the open hand's anatomical axes, carried over to the bones of ``data`` where it is another model."""
        regressor = data.J_regressor.astype(np.float64)
        tips = [FINGERTIP_VERTICES[index] for index in _TIP_OF_FINGER]
        self._joints = regressor @ data.v_template.astype(np.float64)  # (16, 3)
        self._joints_by_beta = np.einsum('jv,vcb->jcb', regressor, data.shapedirs.astype(np.float64))
        self._tips = data.v_template[tips].astype(np.float64)  # (5, 3)
        self._tips_by_beta = data.shapedirs[tips].astype(np.float64)  # (5, 3, 10)
        self._tips_by_pose = data.posedirs[tips].astype(np.float64).reshape(NUM_FINGERS, 3, NUM_JOINTS - 1, 3, 3)
        own = self._tips_by_pose.reshape(NUM_FINGERS, 3, NUM_FINGERS, 3, 3, 3)[_FINGERS, :, _FINGERS]
        self._tips_by_own_angle = own[:, :, _JOINT_OF_ANGLE].swapaxes(1, 2)  # (5 fingers, 5 angles, 3, 3, 3)
        self._weights = data.weights[tips].astype(np.float64)  # (5, 16)
        self._own_weights = self._weights[:, 1:].reshape(NUM_FINGERS, NUM_FINGERS, 3)[_FINGERS, _FINGERS]  # (5, 3)
        frames = bone_frames(data, self._joints)[1:].reshape(NUM_FINGERS, 3, 3, 3)
        self._flexion_axes = frames[..., 0]  # (5, 3 joints, 3)
        self._spread_axes = frames[:, 0, :, 1] * SPREAD_SIGNS[:, None]
        self._twist_axes = frames[:, 0, :, 2] * TWIST_SIGNS[:, None]

    def local_rotations(self, angles: FloatArray) -> FloatArray:
        """(15, 3, 3) rotations of the joints 1..15 relative to their parents, from (25,) angles in radians."""
        return self._local(angles)[0].reshape(NUM_JOINTS - 1, 3, 3)

    def pose(self, orientation: FloatArray, angles: FloatArray, betas: FloatArray) -> PosedKeypoints:
        """Keypoints and derivatives.

        Args:
            orientation: (3, 3) global rotation.
            angles: (25,) radians.
            betas: (10,) shape coefficients.

        """
        local, axes = self._local(angles)  # (5, 3, 3, 3), (5, 5, 3)
        joints = self._joints + self._joints_by_beta @ betas
        bones = np.empty((NUM_FINGERS, 3, 3))  # from the parent joint, in the parent's axes
        bones_by_beta = np.empty((NUM_FINGERS, 3, 3, NUM_BETAS))
        finger_joints = joints[1:].reshape(NUM_FINGERS, 3, 3)
        finger_by_beta = self._joints_by_beta[1:].reshape(NUM_FINGERS, 3, 3, NUM_BETAS)
        bones[:, 0], bones[:, 1:] = finger_joints[:, 0] - joints[0], np.diff(finger_joints, axis=1)
        bones_by_beta[:, 0] = finger_by_beta[:, 0] - self._joints_by_beta[0]
        bones_by_beta[:, 1:] = np.diff(finger_by_beta, axis=1)

        turns = np.empty((NUM_JOINTS, 3, 3))
        places, places_by_beta = np.zeros((NUM_JOINTS, 3)), np.zeros((NUM_JOINTS, 3, NUM_BETAS))
        turns[0] = orientation
        finger_turns = turns[1:].reshape(NUM_FINGERS, 3, 3, 3)
        finger_places = places[1:].reshape(NUM_FINGERS, 3, 3)
        places_beta = places_by_beta[1:].reshape(NUM_FINGERS, 3, 3, NUM_BETAS)
        parent = np.broadcast_to(orientation, (NUM_FINGERS, 3, 3))
        place, place_beta = np.zeros((NUM_FINGERS, 3)), np.zeros((NUM_FINGERS, 3, NUM_BETAS))
        parents = []
        for joint in range(3):
            parents.append(parent)
            place = place + (parent @ bones[:, joint, :, None])[..., 0]
            place_beta = place_beta + parent @ bones_by_beta[:, joint]
            finger_places[:, joint], places_beta[:, joint] = place, place_beta
            parent = parent @ local[:, joint]
            finger_turns[:, joint] = parent

        # Fingertips: skinned vertices of the shaped and pose-corrected template.
        bent = local.reshape(NUM_JOINTS - 1, 3, 3) - _IDENTITY
        tips = self._tips + self._tips_by_beta @ betas + np.einsum('fcjab,jab->fc', self._tips_by_pose, bent)
        from_joint = tips[:, None] - joints  # (5, 16, 3)
        carried = np.einsum('jab,fjb->fja', turns, from_joint) + places  # (5, 16, 3) by each joint alone
        tip_places = np.einsum('fj,fja->fa', self._weights, carried)
        mean_turn = np.einsum('fj,jab->fab', self._weights, turns)
        turned = np.einsum('jab,fjbk->fjak', turns, self._tips_by_beta[:, None] - self._joints_by_beta)
        tips_beta = np.einsum('fj,fjak->fak', self._weights, turned + places_by_beta)

        # Every angle turns what lies beyond its joint about its axis.
        pivots = finger_places[:, _JOINT_OF_ANGLE]  # (5, 5 angles, 3)
        parent_turns = np.stack(parents, 1)[:, _JOINT_OF_ANGLE]
        turning = np.einsum('fabc,fac->fab', parent_turns, axes)  # (5, 5, 3) in the axes of the result
        beyond = finger_places[:, None] - pivots[:, :, None]  # (5, 5, 3 joints, 3)
        joint_change = _cross(turning[:, :, None], beyond) * _MOVES_JOINT[None, :, :, None]
        own_carried = carried[:, 1:].reshape(NUM_FINGERS, NUM_FINGERS, 3, 3)[_FINGERS, _FINGERS]
        lever = np.einsum('am,fm,famc->fac', _MOVES_TIP, self._own_weights, own_carried[:, None] - pivots[:, :, None])
        change = cross_matrices(axes.reshape(-1, 3)).reshape(NUM_FINGERS, 5, 3, 3) @ local[:, _JOINT_OF_ANGLE]
        bent_by = self._own_correctives(change)
        tip_change = _cross(turning, lever) + np.einsum('fcd,fad->fac', mean_turn, bent_by)
        by_angle = np.zeros((NUM_JOINTS + NUM_FINGERS, 3, NUM_ANGLES))
        by_angle[_JOINT_ROWS, :, _JOINT_COLUMNS] = joint_change
        by_angle[NUM_JOINTS + _FINGERS[:, None], :, _COLUMNS] = tip_change

        return PosedKeypoints(
            np.concatenate([places, tip_places])[_POINT_ROWS],
            by_angle[_POINT_ROWS],
            np.concatenate([places_by_beta, tips_beta])[_POINT_ROWS],
        )

    def _own_correctives(self, change: FloatArray) -> FloatArray:
        """Movement (5, 5, 3) of the unposed fingertips when an angle of their finger changes its local rotation.

        Args:
            change: (5, 5, 3, 3) derivative of the local rotation of its joint by each angle.

        """
        return np.einsum('facxy,faxy->fac', self._tips_by_own_angle, change)

    def _local(self, angles: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Local rotations (5, 3, 3, 3), and the axis (5, 5, 3) of each angle in its parent's axes."""
        flexion, spread, twist = angles[FLEXION].reshape(NUM_FINGERS, 3), angles[SPREAD], angles[TWIST]
        rotations = rotations_about(
            np.concatenate([self._flexion_axes.reshape(-1, 3), self._spread_axes, self._twist_axes]),
            np.concatenate([flexion.ravel(), spread, twist]),
        )
        flexing = rotations[:15].reshape(NUM_FINGERS, 3, 3, 3)
        spreading, twisting = rotations[15:20], rotations[20:]
        local = flexing.copy()
        flexed_and_spread = flexing[:, 0] @ spreading
        local[:, 0] = flexed_and_spread @ twisting
        axes = np.empty((NUM_FINGERS, 5, 3))
        axes[:, :3] = self._flexion_axes
        axes[:, 3] = (flexing[:, 0] @ self._spread_axes[..., None])[..., 0]
        axes[:, 4] = (flexed_and_spread @ self._twist_axes[..., None])[..., 0]
        return local, axes


def bone_frames(data: HandModelData, joints: FloatArray) -> FloatArray:
    """(16, 3, 3) flexion, dorsal and bone axis of every joint, as ``HandRig.bone_frames``.

    The open hand brings its own. Another model has the same rest axes (fingers along -x, palm to -y, thumb to +z), so
    each of its frames is the open hand's, turned the shortest way onto its own bone.
    """
    rig = load_open_hand_rig()
    if data.id == OPEN_HAND:
        return rig.bone_frames
    tips = data.v_template[list(FINGERTIP_VERTICES)].astype(np.float64)[list(_TIP_OF_FINGER)]
    frames = rig.bone_frames.copy()
    own, reference = _bones(joints, tips), _bones(rig.joints, rig.fingertips)
    for joint in range(1, NUM_JOINTS):
        frames[joint] = _shortest_turn(reference[joint - 1], own[joint - 1]) @ frames[joint]
    return frames


def rotations_about(axes: FloatArray, angles: FloatArray) -> FloatArray:
    """(n, 3, 3) rotations about unit axes (n, 3) by angles (n,) in radians."""
    cross = cross_matrices(axes)
    sine, cosine = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    return np.asarray(_IDENTITY + sine * cross + (1.0 - cosine) * (cross @ cross))


def _bones(joints: FloatArray, tips: FloatArray) -> FloatArray:
    """(15, 3) unit vectors from the joints 1..15 to the next joint of their finger or to its tip."""
    chains = np.concatenate([joints[1:].reshape(NUM_FINGERS, 3, 3), tips[:, None]], axis=1)
    bones = np.diff(chains, axis=1).reshape(-1, 3)
    return bones / np.linalg.norm(bones, axis=1, keepdims=True)


def _shortest_turn(start: FloatArray, end: FloatArray) -> FloatArray:
    """The smallest rotation that takes one unit vector to another that is not opposite to it."""
    cross = _cross_matrix(np.cross(start, end))
    return _IDENTITY + cross + cross @ cross / (1.0 + float(start @ end))


def _cross_matrix(vector: FloatArray) -> FloatArray:
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    """Cross products (..., 3); ``numpy.cross`` is several times slower on small arrays."""
    a, b, c = first[..., 0], first[..., 1], first[..., 2]
    x, y, z = second[..., 0], second[..., 1], second[..., 2]
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], -1)


def cross_matrices(vectors: FloatArray) -> FloatArray:
    """(n, 3, 3) with ``matrices[i] @ x == cross(vectors[i], x)``."""
    matrices = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    matrices[:, 0, 1], matrices[:, 0, 2], matrices[:, 1, 2] = -z, y, -x
    matrices[:, 1, 0], matrices[:, 2, 0], matrices[:, 2, 1] = z, -y, x
    return matrices
