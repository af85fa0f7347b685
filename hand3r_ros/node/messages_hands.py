"""Pure builders of the messages about hands: HandMeshArray and HandTopology."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from hand3r_msgs.msg import HandMesh, HandMeshArray, HandTopology
from hand3r_ros.node import messages
from hand3r_ros.online.results import HandResult, PlacementSource

UNKNOWN_CONFIDENCE = np.full(21, -1.0)
DEPTH_SOURCES = {
    None: HandMesh.DEPTH_UNKNOWN,
    PlacementSource.NETWORK: HandMesh.DEPTH_NETWORK,
    PlacementSource.SCENE: HandMesh.DEPTH_SCENE,
    PlacementSource.CROP_CAMERA: HandMesh.DEPTH_CROP_CAMERA,
    PlacementSource.LANDMARKS: HandMesh.DEPTH_LANDMARKS,
    PlacementSource.MEASURED: HandMesh.DEPTH_MEASURED,
}


def hand_mesh(header: Header, hand: HandResult, hand_model: str, in_world: bool, vertices: bool = True) -> HandMesh:
    """hand3r_msgs/HandMesh in the world or in the camera frame; ``header.frame_id`` must name that frame.

    Everything 3D is given in that frame: the global orientation and ``transl`` too, so that posing the hand model
    with the parameters of the message gives its vertices.
    """
    T_frame_wrist = hand.T_world_wrist if in_world else hand.T_camera_wrist
    mesh = hand.vertices_world if in_world else hand.vertices_camera
    keypoints = hand.keypoints_world if in_world else hand.keypoints_camera
    return HandMesh(
        header=header,
        hand_model=hand_model,
        side=int(hand.side),
        track_id=int(hand.track_id),
        score=float(hand.score),
        bbox=_fixed(hand.box),
        wrist=messages.pose(T_frame_wrist),
        global_orient=_fixed(Rotation.from_matrix(np.asarray(T_frame_wrist)[:3, :3]).as_rotvec()),
        hand_pose=_fixed(hand.hand_pose),
        betas=_fixed(hand.betas),
        transl=_fixed(_translation(hand, T_frame_wrist)),
        vertices=messages.packed('f', mesh if vertices else ()),
        keypoints=messages.packed('f', keypoints),
        keypoints_2d=messages.packed('f', hand.keypoints_image),
        keypoint_confidence=_fixed(
            UNKNOWN_CONFIDENCE if hand.keypoint_confidence is None else hand.keypoint_confidence
        ),
        articulation_source=int(hand.articulation),
        depth_source=DEPTH_SOURCES[None if hand.placement is None else hand.placement.source],
        depth_deviation=_depth_deviation(hand),
    )


def hand_mesh_array(
    header: Header, hands: Iterable[HandResult], hand_model: str, in_world: bool, vertices: bool = True
) -> HandMeshArray:
    """hand3r_msgs/HandMeshArray; no hands give an empty array, which is published too."""
    return HandMeshArray(
        header=header, hands=[hand_mesh(header, hand, hand_model, in_world, vertices) for hand in hands]
    )


def hand_topology(
    header: Header,
    hand_model: str,
    vertex_count: int,
    faces_right: ArrayLike,
    faces_left: ArrayLike,
    keypoint_names: Sequence[str],
    keypoint_parents: Sequence[int],
) -> HandTopology:
    """hand3r_msgs/HandTopology; faces are (F, 3) vertex indices."""
    return HandTopology(
        header=header,
        hand_model=hand_model,
        vertex_count=int(vertex_count),
        faces_right=messages.packed('I', faces_right),
        faces_left=messages.packed('I', faces_left),
        keypoint_names=[str(name) for name in keypoint_names],
        keypoint_parents=messages.packed('i', keypoint_parents),
    )


def points_of(values: ArrayLike, columns: int = 3) -> NDArray[np.float32]:
    """(N, columns) array of a flat ``float32[]`` field of HandMesh."""
    return np.asarray(values, np.float32).reshape(-1, columns)


def _translation(hand: HandResult, T_frame_wrist: ArrayLike) -> NDArray[np.floating]:
    """MANO ``transl`` in the message's frame: the hand turns about the resting wrist, which no frame moves."""
    resting_wrist = np.asarray(hand.T_camera_wrist)[:3, 3] - hand.translation
    return np.asarray(np.asarray(T_frame_wrist)[:3, 3] - resting_wrist)


def _known_or_unknown(confidence: ArrayLike | None) -> ArrayLike:
    return UNKNOWN_CONFIDENCE if confidence is None else confidence


def _depth_deviation(hand: HandResult) -> float:
    deviation = None if hand.placement is None else hand.placement.deviation
    return -1.0 if deviation is None else float(deviation)


def _fixed(values: ArrayLike) -> NDArray[np.float32]:
    """A value for a fixed-size ``float32[n]`` field."""
    return np.ascontiguousarray(values, np.float32).reshape(-1)
