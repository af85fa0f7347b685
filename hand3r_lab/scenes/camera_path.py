"""Camera trajectories: a wearer's head over the table, or a camera that moves around the table.

World axes: x right and y forward as the person at the table sees it, z up. Every trajectory translates enough for
parallax (most by 10 cm or more in two seconds), because the camera's pose is to be learned from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes.paths import Array, cross, key_count, through, unit, wander
from hand3r_ros.geometry import Intrinsics, make_transform

EGOCENTRIC_VIEW = (58.0, 100.0)
"""Horizontal fields of view of worn cameras, degrees."""

THIRD_PERSON_VIEW = (45.0, 85.0)
"""Horizontal fields of view of the other cameras, degrees."""


@dataclass(frozen=True, eq=False)
class CameraPath:
    """A camera for every frame of a sequence."""

    T_world_camera: NDArray[np.float64]  # (T, 4, 4) optical frame to scene world
    intrinsics: Intrinsics
    egocentric: bool


def egocentric_path(
    rng: np.random.Generator, frames: int, fps: float, size: tuple[int, int], table_height: float
) -> CameraPath:
    """A head-worn camera of a person who sits or stands at the near edge of the table (y = 0)."""
    head = np.array([rng.normal(0.0, 0.05), -rng.uniform(0.02, 0.16), table_height + rng.uniform(0.36, 0.58)])
    stroll = rng.uniform(0.5, 1.0)
    keys = rng.normal(0.0, 1.0, (key_count(frames, 1.2 * fps), 3)) * [0.10, 0.07, 0.06] * stroll
    position = head + through(keys, frames) + wander(rng, frames, [0.006, 0.005, 0.004], 0.8 * fps)
    gaze = np.array([rng.normal(0.0, 0.06), rng.uniform(0.22, 0.42), table_height + rng.uniform(0.0, 0.08)])
    looks = rng.normal(0.0, 1.0, (key_count(frames, 1.0 * fps), 3)) * [0.11, 0.07, 0.04] * rng.uniform(0.4, 1.2)
    target = gaze + through(looks, frames) + wander(rng, frames, [0.006, 0.006, 0.004], 0.7 * fps)
    roll = rng.normal(0.0, 0.04) + wander(rng, frames, 0.03, 1.2 * fps)[:, 0]
    return CameraPath(look_at(position, target, roll), _intrinsics(rng, size, EGOCENTRIC_VIEW), True)


def third_person_path(
    rng: np.random.Generator, frames: int, fps: float, size: tuple[int, int], table_height: float
) -> CameraPath:
    """A hand-held or robot-carried camera that circles part of the table, facing the person at any angle but hers."""
    azimuth = rng.uniform(-88.0, 88.0) + through(
        np.cumsum(rng.normal(0.0, 1.0, key_count(frames, 1.4 * fps))) * 11.0, frames
    )
    elevation = rng.uniform(22.0, 55.0) + through(rng.normal(0.0, 5.0, key_count(frames, 1.4 * fps)), frames)
    distance = rng.uniform(0.5, 1.0) + through(rng.normal(0.0, 0.07, key_count(frames, 1.4 * fps)), frames)
    phi, theta = np.deg2rad(90.0 + azimuth), np.deg2rad(elevation)
    direction = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)], -1)
    centre = np.array([rng.normal(0.0, 0.05), rng.uniform(0.18, 0.32), table_height + rng.uniform(0.02, 0.10)])
    position = centre + distance[:, None] * direction + wander(rng, frames, [0.004] * 3, 0.8 * fps)
    target = centre + wander(rng, frames, [0.04, 0.04, 0.025], 1.2 * fps)
    roll = rng.normal(0.0, 0.03) + wander(rng, frames, 0.02, 1.5 * fps)[:, 0]
    return CameraPath(look_at(position, target, roll), _intrinsics(rng, size, THIRD_PERSON_VIEW), False)


def look_at(position: Array, target: Array, roll: Array) -> NDArray[np.float64]:
    """(T, 4, 4) optical frames at ``position`` (T, 3) that look at ``target`` (T, 3), turned by ``roll`` (T,) rad."""
    forward = unit(target - position)
    right = unit(cross(forward, [0.0, 0.0, 1.0]))
    down = cross(forward, right)
    cosine, sine = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rotation = np.stack([cosine * right + sine * down, cosine * down - sine * right, forward], axis=-1)
    return make_transform(rotation, position)


def _intrinsics(rng: np.random.Generator, size: tuple[int, int], view: tuple[float, float]) -> Intrinsics:
    """A horizontal field of view in the range ``view`` (degrees) and a principal point near the middle."""
    width, height = size
    ideal = Intrinsics.from_field_of_view(rng.uniform(*view), width, height)
    shift = rng.normal(0.0, 0.004, 2) * width
    return Intrinsics(ideal.fx, ideal.fy, ideal.cx + shift[0], ideal.cy + shift[1], width, height)
