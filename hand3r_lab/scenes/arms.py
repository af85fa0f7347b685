"""Arms: shoulder, bent elbow and wrist over time, and the surfaces of skin and sleeve around them.

Everything is planned for a right arm; the caller mirrors the world for a left one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.hand_appearance import WristCut
from hand3r_lab.scenes.paths import Array, cross, unit

UPPER_ARM = 0.29  # m, shoulder to elbow
FOREARM = 0.255  # m, elbow to wrist joint
RING_POINTS = 17  # the last equals the first

# Half thicknesses of the arm in metres (palm to back, thumb to little finger) at shares of the way to the next joint.
_FOREARM_STATIONS = (0.16, 0.3, 0.46, 0.64, 0.82)
_FOREARM_HALF = ((0.0215, 0.0265), (0.0265, 0.030), (0.0325, 0.0345), (0.038, 0.039), (0.040, 0.041))
_ELBOW_HALF = ((0.041, 0.042),)
_UPPER_STATIONS = (0.16, 0.4, 0.65, 0.95, 1.12, 1.13)
_UPPER_HALF = ((0.041, 0.042), (0.044, 0.044), (0.047, 0.047), (0.052, 0.052), (0.052, 0.052), (0.004, 0.004))
_ALL_HALF = np.array((*_FOREARM_HALF, *_ELBOW_HALF, *_UPPER_HALF))

CUFF_RINGS = {'wrist': 2, 'forearm': 4, 'elbow': 7, 'upper arm': 9}
"""First ring of sleeves of different length."""


@dataclass(frozen=True, eq=False)
class ArmPath:
    """Joints of a right arm over T frames."""

    shoulder: Array  # (T, 3) m
    elbow: Array  # (T, 3)
    wrist: Array  # (T, 3)

    @property
    def forearm(self) -> Array:
        """(T, 3) unit vectors from elbow to wrist."""
        return unit(self.wrist - self.elbow)


def reach(shoulder: Array, wrist: Array, table_height: float, table_edge: float = 0.0) -> ArmPath:
    """Bends the elbow so that the hand gets to ``wrist`` (T, 3); leans the shoulder forward where it is too far.

    One swivel angle serves all frames: the lowest one for which the forearm stays clear of the table.
    """
    longest = 0.97 * (UPPER_ARM + FOREARM)
    offset = wrist - shoulder
    distance = np.linalg.norm(offset, axis=1, keepdims=True)
    shoulder = wrist - offset * np.minimum(1.0, longest / distance)
    distance = np.clip(distance, 0.06, longest)
    along = (UPPER_ARM**2 - FOREARM**2 + distance**2) / (2.0 * distance)
    height = np.sqrt(np.maximum(UPPER_ARM**2 - along**2, 0.0))
    axis = unit(wrist - shoulder)
    down = unit(np.array([0.0, 0.0, -1.0]) + axis * axis[:, 2:])
    outward = cross(axis, down) * -1.0
    outward *= np.where(outward[:, :1] < 0.0, -1.0, 1.0)
    best, best_cost = np.empty_like(wrist), np.inf
    for swivel in np.deg2rad(np.arange(15.0, 111.0, 8.0)):
        elbow = shoulder + along * axis + height * (np.cos(swivel) * down + np.sin(swivel) * outward)
        cost = 40.0 * _table_depth(elbow, wrist, table_height, table_edge) + 0.02 * abs(swivel - np.deg2rad(40.0))
        if cost < best_cost:
            best, best_cost = elbow, cost
    return ArmPath(shoulder, best, wrist)


def _table_depth(elbow: Array, wrist: Array, height: float, edge: float) -> float:
    """How deep the forearm sinks into the table, in metres (worst frame)."""
    share = np.linspace(0.0, 0.9, 6)[:, None, None]
    points = elbow + share * (wrist - elbow)
    over = points[..., 1] > edge - 0.03
    return float(np.max(np.where(over, height + 0.045 - points[..., 2], 0.0), initial=0.0))


def hand_orientation(forearm: Array, roll: Array, flexion: Array, deviation: Array) -> Array:
    """(T, 3, 3) global orientations of a right hand that continues the forearm.

    Args:
        forearm: (T, 3) unit vectors from elbow to wrist.
        roll: (T,) radians; 0 = palm down, 90 degrees = thumb up, 180 degrees = palm up.
        flexion: (T,) radians towards the palm.
        deviation: (T,) radians towards the thumb.
    """
    hand_x = -forearm  # fingers point along -x of the resting hand
    palm = unit(np.array([0.0, 0.0, -1.0]) + forearm * forearm[:, 2:])
    level = np.stack([hand_x, -palm, cross(hand_x, -palm)], axis=-1)
    turned = Rotation.from_rotvec(forearm * roll[:, None]) * Rotation.from_matrix(level)
    zero = np.zeros_like(flexion)
    bend = Rotation.from_rotvec(np.stack([zero, zero, flexion], -1)) * Rotation.from_rotvec(
        np.stack([zero, deviation, zero], -1)
    )
    return (turned * bend).as_matrix()


def arm_rings(path: ArmPath, orientation: Array, cut: WristCut) -> Array:
    """Rings (T, K, N, 3) of the skin, from just inside the hand's wrist to behind the shoulder.

    Args:
        path: the arm.
        orientation: (T, 3, 3) of the hand.
        cut: where the hand mesh ends; ``RING_POINTS`` points.
    """
    middle = cut.outline[:-1].mean(0)
    local = np.array([cut.offset, *middle])
    local[0] += cut.slant * middle[0]
    hand_end = path.wrist + orientation @ local
    to_elbow = path.elbow - hand_end
    to_shoulder = path.shoulder - path.elbow
    centres = [
        hand_end - 0.012 * orientation[:, :, 0],
        hand_end - 0.001 * orientation[:, :, 0],
        *(hand_end + share * to_elbow for share in _FOREARM_STATIONS),
        path.elbow + 0.008 * (unit(to_shoulder) - unit(to_elbow)),  # cut the corner on its inside
        *(path.elbow + share * to_shoulder for share in _UPPER_STATIONS),
    ]
    centre = np.stack(centres, axis=1)  # (T, K, 3)
    stations = np.array([0.0, 0.0, *_FOREARM_STATIONS, 1.0, *(1.0 + np.array(_UPPER_STATIONS))])
    axes = _ring_axes(path, orientation, centre, stations)
    return centre[:, :, None] + np.einsum('tkij,knj->tkni', axes, _ring_shapes(cut))


def _ring_shapes(cut: WristCut) -> Array:
    """(K, N, 3) rings around their centres: the hand's outline, then ellipses."""
    outline = cut.outline - cut.outline[:-1].mean(0)
    slanted = np.column_stack([cut.slant * outline[:, 0], outline])
    angle = np.linspace(0.0, 2.0 * np.pi, RING_POINTS)
    circle = np.stack([np.zeros_like(angle), np.cos(angle), np.sin(angle)], -1)
    ellipses = circle * np.column_stack([np.zeros(len(_ALL_HALF)), _ALL_HALF])[:, None]
    inside, outside = slanted * [1.0, 0.92, 0.92], slanted * [1.0, 1.012, 1.012]
    return np.concatenate([inside[None], outside[None], ellipses])


def _ring_axes(path: ArmPath, orientation: Array, centre: Array, stations: Array) -> Array:
    """(T, K, 3, 3) ring frames; columns: tangent towards the shoulder, back of the hand, thumb."""
    hinge = unit(cross(path.shoulder - path.elbow, path.forearm))
    elbow_x = -path.forearm
    elbow_frame = np.stack([elbow_x, cross(hinge, elbow_x), hinge], axis=-1)
    start = Rotation.from_matrix(orientation)
    turn = (start.inv() * Rotation.from_matrix(elbow_frame)).as_rotvec()
    tangent = np.gradient(centre, axis=1)
    tangent = unit(tangent)
    tangent[:, :2] = orientation[:, None, :, 0]
    share = np.minimum(stations, 1.0)
    eased = share * share * (3.0 - 2.0 * share)
    part = Rotation.from_rotvec((turn[:, None] * eased[:, None]).reshape(-1, 3)).as_matrix()
    second = (orientation[:, None] @ part.reshape(*centre.shape[:2], 3, 3))[..., 1]
    third = unit(cross(tangent, second))
    return np.stack([tangent, cross(third, tangent), third], axis=-1)


def sleeve_rings(rings: Array, first: int, thickness: float, folds: Array) -> Array:
    """Rings (T, K', N, 3) of cloth around ``arm_rings`` from ring ``first`` to the shoulder, ends closed.

    Args:
        rings: of the arm.
        first: ring at which the cuff lies.
        thickness: distance of the cloth from the skin, metres.
        folds: (K, N) further distance where the cloth folds.
    """
    middle = rings[:, :, :-1].mean(axis=2, keepdims=True)
    outward = rings - middle
    outward = outward / np.maximum(np.linalg.norm(outward, axis=-1, keepdims=True), 1e-9)
    cloth = rings + outward * (thickness + folds[..., None])
    hem = rings[:, first : first + 1] - 0.001 * outward[:, first : first + 1]
    return np.concatenate([hem, cloth[:, first:]], axis=1)
