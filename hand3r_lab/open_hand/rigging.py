"""Derives the rig of the open hand from its mesh: limb sizes, nails, palm, knuckles, and the cut at the wrist."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.open_hand.simplification import fingertip_vertex
from hand3r_lab.open_hand.source import SourceHand
from hand3r_ros.hand_model.joints import NUM_JOINTS
from hand3r_ros.hand_model.rig import HandRig

FloatArray = NDArray[np.float64]

_NAIL_START, _NAIL_END = 0.42, 0.92  # along the last bone, joint to fingertip
_NAIL_WIDTH = 0.68  # of the finger's
_NAIL_TILT = np.deg2rad(12.0)  # nails dip towards the fingertip


def make_rig(hand: SourceHand) -> HandRig:
    """The rig of ``hand``, whose vertices are in their final order."""
    fingertips = np.stack([hand.vertices[fingertip_vertex(hand, finger)] for finger in range(5)])
    radii = np.array([_palm_radius(hand), *(_bone_radius(hand, joint) for joint in range(1, NUM_JOINTS))])
    normals = vertex_normals(hand.vertices, hand.faces)
    nails = [_nail(hand, finger, fingertips[finger], radii[3 * finger + 3]) for finger in range(5)]
    centers = np.stack([nail[0] for nail in nails])
    frames = np.stack([nail[1] for nail in nails])
    half_sizes = np.stack([nail[2] for nail in nails])
    ring, direction = _wrist_cut(hand)
    return HandRig(
        joints=hand.joints,
        fingertips=fingertips,
        bone_frames=hand.bone_frames,
        bone_radii=radii,
        nail_centers=centers,
        nail_frames=frames,
        nail_half_sizes=half_sizes,
        nail_weights=_nail_weights(hand, normals, centers, frames, half_sizes),
        palm_weights=_palm_weights(hand, normals),
        knuckle_weights=_knuckle_weights(hand, radii),
        wrist_ring=ring,
        wrist_direction=direction,
    )


def vertex_normals(vertices: FloatArray, faces: NDArray[np.int64]) -> FloatArray:
    """(V, 3) unit normals, averaged over the adjacent faces by area."""
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], face_normals)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _bone_radius(hand: SourceHand, joint: int) -> float:
    """Mean distance from the bone of the skin that moves with it, away from its ends."""
    offsets = hand.vertices - hand.joints[joint]
    axis = hand.bone_frames[joint, :, 2]
    along = offsets @ axis
    mine = hand.weights[:, joint] > 0.6
    low, high = np.quantile(along[mine], [0.1, 0.8])
    mine &= (along >= low) & (along <= high)
    return float(np.linalg.norm(offsets - np.outer(along, axis), axis=1)[mine].mean())


def _palm_radius(hand: SourceHand) -> float:
    """Depth of the palmar skin below the bones of the palm, half way and more from the wrist to the knuckles."""
    wrist = hand.joints[0]
    depths = []
    for knuckle in hand.joints[[1, 4, 7, 10]]:
        along = (hand.vertices - wrist) @ (knuckle - wrist) / np.sum((knuckle - wrist) ** 2)
        below = hand.vertices - (wrist + along[:, None] * (knuckle - wrist))
        near = (along > 0.5) & (along < 0.95) & (np.abs(below[:, 2]) < 0.008) & (below[:, 1] < 0.0)
        depths.append(np.median(-below[near, 1]))
    return float(np.mean(depths))


def _nail(
    hand: SourceHand, finger: int, fingertip: FloatArray, radius: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Centre on the skin, frame (across, outward, towards the tip) and half sizes (width, length)."""
    joint = 3 * finger + 3
    across, dorsal, bone = hand.bone_frames[joint].T
    length = float((fingertip - hand.joints[joint]) @ bone)
    towards_tip = np.cos(_NAIL_TILT) * bone - np.sin(_NAIL_TILT) * dorsal
    outward = np.cos(_NAIL_TILT) * dorsal + np.sin(_NAIL_TILT) * bone
    offsets = hand.vertices - hand.joints[joint]
    along = offsets @ bone
    position = 0.5 * (_NAIL_START + _NAIL_END) * length
    near = (hand.weights[:, joint] > 0.6) & (np.abs(along - position) < 0.3 * length)
    center = hand.joints[joint] + position * bone + float((offsets @ dorsal)[near].max()) * dorsal
    half_sizes = np.array([_NAIL_WIDTH * radius, 0.5 * (_NAIL_END - _NAIL_START) * length])
    return center, np.stack([across, outward, towards_tip], axis=-1), half_sizes


def _nail_weights(
    hand: SourceHand, normals: FloatArray, centers: FloatArray, frames: FloatArray, half_sizes: FloatArray
) -> FloatArray:
    weights = np.zeros(len(hand.vertices))
    for finger, (center, frame, half) in enumerate(zip(centers, frames, half_sizes, strict=True)):
        local = (hand.vertices - center) @ frame
        distance = np.sqrt((local[:, 0] / half[0]) ** 2 + (local[:, 2] / half[1]) ** 2)
        inside = np.clip(1.5 - distance, 0.0, 1.0) * (normals @ frame[:, 1] > 0.3)
        weights = np.maximum(weights, inside * (hand.weights[:, 3 * finger + 3] > 0.5))
    return weights


def _palm_weights(hand: SourceHand, normals: FloatArray) -> FloatArray:
    """1 where the skin faces the palmar side of the bones that move it, with a soft edge; 0 on the forearm's back."""
    dorsal = hand.weights @ hand.bone_frames[:, :, 1]
    facing = -np.einsum('va,va->v', normals, dorsal / np.linalg.norm(dorsal, axis=1, keepdims=True))
    ramp = np.clip((facing + 0.05) / 0.5, 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def _knuckle_weights(hand: SourceHand, radii: FloatArray) -> FloatArray:
    """Fades from 1 at a finger joint to 0 one finger radius away along the finger."""
    weights = np.zeros(len(hand.vertices))
    for joint in range(1, NUM_JOINTS):
        offsets = hand.vertices - hand.joints[joint]
        along = np.abs(offsets @ hand.bone_frames[joint, :, 2]) / radii[joint]
        near = np.linalg.norm(offsets, axis=1) < 2.2 * radii[joint]
        weights = np.maximum(weights, np.clip(1.0 - along, 0.0, 1.0) * near)
    return weights


def _wrist_cut(hand: SourceHand) -> tuple[NDArray[np.int64], FloatArray]:
    """The ring of vertices around the flat end of the forearm, and the direction it faces."""
    corners = hand.vertices[hand.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    farthest = int(np.argmax(corners.mean(1)[:, 0] * (normals[:, 0] > 0.9)))
    direction = normals[farthest]
    plane = corners[farthest, 0] @ direction
    on_plane = (np.abs(corners @ direction - plane).max(1) < 1.5e-3) & (normals @ direction > 0.9)
    edges = {(int(face[i]), int(face[(i + 1) % 3])) for face in hand.faces[on_plane] for i in range(3)}
    following = {start: end for start, end in edges if (end, start) not in edges}
    ring = [min(following)]
    while following[ring[-1]] != ring[0]:
        ring.append(following[ring[-1]])
    if len(ring) != len(following):
        raise RuntimeError('the cut at the wrist is not bounded by one ring')
    return np.array(ring), direction
