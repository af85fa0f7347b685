"""Camera pose in the published world: from the network, from geometry, or from TF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import R_BODY_OPTICAL, Intrinsics, invert_transform, make_transform, transform_from_pose7
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.preparation import ImageGeometry

FloatArray = NDArray[np.floating]
PoseMemory = Mapping[str, NDArray[Any]]
"""What a pose source knows between two frames, by name."""

_FARTHEST = 1e9
"""Metres from the origin of a world in which a camera can be."""


@dataclass(frozen=True)
class PoseObservation:
    """Everything a pose source may look at in one frame."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB, source image
    geometry: ImageGeometry  # source image <-> network image
    T_network_camera: FloatArray  # (4, 4) the network's own answer, in its world
    points_camera: FloatArray  # (h, w, 3) m, network image
    confidence: FloatArray  # (h, w)
    source_intrinsics: Intrinsics
    moving: NDArray[np.bool_]  # (h, w) True where hands are or may be
    T_world_camera: FloatArray | None = None  # (4, 4) known pose
    measured: NDArray[np.bool_] | None = None  # (h, w) True where the points are readings of a depth camera
    scale_found: bool = False  # True: these are the first readings; the metres of all frames before were a guess


@dataclass(frozen=True)
class PoseEstimate:
    """A camera pose and whether it was really observed in this frame."""

    T_world_camera: FloatArray  # (4, 4) optical axes to world
    tracked: bool = True  # False: lost, the pose is the last known one


class PoseSource(Protocol):
    """Gives every frame of a session a camera pose."""

    def update(self, observation: PoseObservation) -> PoseEstimate:
        """The pose of the next frame; raises ``FrameRejected`` when there can be none."""
        ...

    def reset(self) -> None:
        """Forget earlier frames; the next one is the first of a new world."""
        ...

    def move_network_world(self, T_network_camera: FloatArray, T_world_camera: FloatArray) -> None:
        """The network starts a world of its own anew: in it, the camera of the last frame is at ``T_network_camera``.

        ``T_world_camera`` is where the published world has that camera, so that both are chained by a measured pose.
        """
        ...

    def memory(self) -> PoseMemory:
        """What ``restore`` needs."""
        ...

    def restore(self, memory: PoseMemory) -> None:
        """Goes on from there; raises ``ValueError`` for the memory of another pose source or a damaged one."""
        ...


def first_camera_in_world(initial_camera_pose: tuple[float, ...]) -> FloatArray:
    """``T_world_camera`` (4, 4) of a session's first frame: the configured body pose, in optical axes."""
    return transform_from_pose7(initial_camera_pose) @ make_transform(R_BODY_OPTICAL, np.zeros(3))


class NetworkPose:
    """The network's pose. The first frame defines the world exactly: its predicted pose is removed from all."""

    def __init__(self, T_world_first: FloatArray) -> None:
        self._T_world_first = T_world_first
        self._T_world_network: FloatArray | None = None

    def reset(self) -> None:
        """The next frame is a first one."""
        self._T_world_network = None

    def update(self, observation: PoseObservation) -> PoseEstimate:
        """The network's pose in the published world."""
        if self._T_world_network is None:
            self._T_world_network = self._T_world_first @ invert_transform(observation.T_network_camera)
        return PoseEstimate(self._T_world_network @ observation.T_network_camera)

    def move_network_world(self, T_network_camera: FloatArray, T_world_camera: FloatArray) -> None:
        """Chains the network's new world to the published one."""
        self._T_world_network = T_world_camera @ invert_transform(T_network_camera)

    def memory(self) -> PoseMemory:
        """Where the network's world is in the published one."""
        return {} if self._T_world_network is None else {'T_world_network': self._T_world_network}

    def restore(self, memory: PoseMemory) -> None:
        """Restores what ``memory`` gave."""
        self._T_world_network = known_transform(memory, 'T_world_network')


class GivenPose:
    """The pose that came with the frame; holds the last one while none comes."""

    def __init__(self) -> None:
        self._last: FloatArray | None = None

    def reset(self) -> None:
        """Removes the last pose."""
        self._last = None

    def update(self, observation: PoseObservation) -> PoseEstimate:
        """The given pose; the world is the one it refers to."""
        if observation.T_world_camera is not None:
            self._last = np.array(observation.T_world_camera, float)
            return PoseEstimate(self._last)
        if self._last is None:
            raise FrameRejected("pose_source is 'tf' but no frame had a camera pose so far")
        return PoseEstimate(self._last, tracked=False)

    def move_network_world(self, T_network_camera: FloatArray, T_world_camera: FloatArray) -> None:
        """Nothing: the network's world plays no part."""

    def memory(self) -> PoseMemory:
        """The last pose."""
        return {} if self._last is None else {'T_world_camera': self._last}

    def restore(self, memory: PoseMemory) -> None:
        """Restores what ``memory`` gave."""
        self._last = known_transform(memory, 'T_world_camera')


def known_transform(memory: PoseMemory, name: str) -> FloatArray | None:
    """The rigid (4, 4) transform of this name, None if the memory is empty; raises ValueError for anything else."""
    if not memory:
        return None
    transform = memory.get(name)
    if transform is None or transform.dtype != np.float64 or transform.shape != (4, 4) or not _is_rigid(transform):
        raise ValueError(f'the memory of the camera pose has no transform {name}')
    return transform


def _is_rigid(transform: FloatArray) -> bool:
    rotation = transform[:3, :3]
    return bool(
        np.isfinite(transform).all()
        and np.abs(transform[:3, 3]).max() < _FARTHEST
        and np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2)
        and np.linalg.det(rotation) > 0.0
        and np.allclose(transform[3], [0.0, 0.0, 0.0, 1.0])
    )


def make_pose_source(config: ReconstructorConfig, recommended: str) -> PoseSource:
    """The configured pose source; ``recommended`` is what 'auto' stands for."""
    T_world_first = first_camera_in_world(config.initial_camera_pose)
    name = recommended if config.pose_source == 'auto' else config.pose_source
    if name == 'network':
        return NetworkPose(T_world_first)
    if name == 'geometric':
        from hand3r_ros.online.geometric_pose import GeometricPose

        return GeometricPose(T_world_first, config.geometric_pose)
    return GivenPose()
