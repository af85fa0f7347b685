"""Grasps: an object is laid against the palm and every finger closes, link by link, until it touches.

Objects are approximated while grasping by an endless cylinder, an endless square bar or a sphere. Grasps are found
once per process and split; a sequence only refits the object's radius to the size of its own hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.synthetic.hand_poses import articulation

Array = NDArray[np.float64]

POOL_SIZE = 60
SHAPES: tuple[str, ...] = ('cylinder', 'bar', 'sphere')
_MAX_PENETRATION = 0.001  # m
_MAX_FLEXION = np.deg2rad([[82, 98, 60]] * 4 + [[40, 45, 60]])  # fingers in MANO order, thumb last
_START_FLEXION = np.deg2rad([[-12, 4, 2]] * 4 + [[-12, -12, -5]])
_STEPS = 14


@dataclass(frozen=True, eq=False)
class Grasp:
    """How a right hand holds an object, in the axes of the hand at rest with the wrist joint at the origin."""

    articulation: Array  # (15, 3) axis-angle
    shape: str  # one of SHAPES
    radius: float  # m; half the side of a bar
    centre: Array  # (3,) m
    axes: Array  # (3, 3) columns: the object's x, y, z; z is the long axis

    def refitted(self, vertices: Array) -> Grasp:
        """The same grasp with the largest radius that does not pierce the hand ``vertices`` (778, 3)."""
        local = (vertices - self.centre) @ self.axes
        radius = float(np.quantile(_gauge(self.shape, local), 0.004)) + 0.0005
        radius = min(max(radius, 0.6 * self.radius), 1.3 * self.radius)
        return Grasp(self.articulation, self.shape, radius, self.centre, self.axes)


@lru_cache(maxsize=1)
def open_hand_layer() -> HandLayer:
    """The open hand as a torch module (made once per process)."""
    return HandLayer(load_open_hand())


def posed_vertices(articulations: Array) -> Array:
    """(N, 778, 3) right hands of mean shape without global rotation, wrist joint at the origin."""
    count = len(articulations)
    rotations = np.tile(np.eye(3), (count, 16, 1, 1))
    rotations[:, 1:] = Rotation.from_rotvec(articulations.reshape(-1, 3)).as_matrix().reshape(count, 15, 3, 3)
    with torch.no_grad():
        mesh = open_hand_layer()(
            torch.from_numpy(rotations).float(), torch.zeros(count, 10), torch.ones(count, dtype=torch.bool)
        )
    return mesh.vertices.numpy().astype(float)


@lru_cache(maxsize=3)
def grasp_pool(seed: int) -> tuple[Grasp, ...]:
    """The grasps of the split with this pool seed."""
    rng = np.random.default_rng([seed, 37])
    return find_grasps(rng, POOL_SIZE)


def find_grasps(rng: np.random.Generator, count: int) -> tuple[Grasp, ...]:
    """``count`` grasps of random objects."""
    shapes = [str(rng.choice(SHAPES, p=[0.6, 0.2, 0.2])) for _ in range(count)]
    radius = np.array([rng.uniform(*_RADIUS_RANGE[shape]) for shape in shapes])
    angles = np.array([8.0, 0.0]) + rng.normal(0.0, [14.0, 6.0], (count, 2))
    tilt = Rotation.from_euler('yx', angles, degrees=True).as_matrix()
    turned = Rotation.from_euler('z', rng.uniform(-20.0, 20.0, (count, 1)), degrees=True).as_matrix()
    axes = tilt @ turned
    opposition = np.deg2rad(rng.uniform(25.0, 50.0, count))
    spread = np.zeros((count, 5))
    spread[:, :4] = np.deg2rad(rng.normal(0.0, 2.0, (count, 4)))
    flexion = np.tile(_START_FLEXION, (count, 1, 1))
    start = posed_vertices(articulation(flexion, spread, opposition))
    centre = _lay_against_palm(rng, start, shapes, radius, axes)
    for link in range(3):
        flexion = _close_link(flexion, spread, opposition, link, shapes, radius, centre, axes)
    poses = articulation(flexion, spread, opposition)
    return tuple(Grasp(poses[i], shapes[i], float(radius[i]), centre[i], axes[i]) for i in range(count))


def _lay_against_palm(
    rng: np.random.Generator, vertices: Array, shapes: list[str], radius: Array, axes: Array
) -> Array:
    """(N, 3) centres such that the objects just touch the palm under the knuckles."""
    palm = load_open_hand().weights[:, 0] > 0.5
    count = len(shapes)
    centre = np.stack(
        [rng.uniform(-0.078, -0.062, count) - 0.25 * radius, np.zeros(count), rng.uniform(-0.012, 0.006, count)], -1
    )
    for i in range(count):
        low, high = -0.15, 0.0  # y: clear of the palm, inside it
        for _ in range(14):
            middle = 0.5 * (low + high)
            local = (vertices[i, palm] - [centre[i, 0], middle, centre[i, 2]]) @ axes[i]
            if _gauge(shapes[i], local).min() > radius[i] - _MAX_PENETRATION:
                low = middle
            else:
                high = middle
        centre[i, 1] = low
    return centre


def _close_link(
    flexion: Array,
    spread: Array,
    opposition: Array,
    link: int,
    shapes: list[str],
    radius: Array,
    centre: Array,
    axes: Array,
) -> Array:
    """Closes joint ``link`` of every finger until the finger touches the object; fingers do not disturb each other."""
    count = len(flexion)
    weights = load_open_hand().weights
    owner = weights.argmax(1)
    finger_of = (owner - 1) // 3
    moving = (owner > 0) & ((owner - 1) % 3 >= link)
    share = np.linspace(0.0, 1.0, _STEPS)
    trial = np.repeat(flexion[:, None], _STEPS, axis=1)  # (N, S, 5, 3)
    start, end = flexion[:, :, link], _MAX_FLEXION[:, link]
    trial[..., link] = start[:, None] + share[:, None] * (end - start)[:, None]
    poses = articulation(trial.reshape(-1, 5, 3), np.repeat(spread, _STEPS, 0), np.repeat(opposition, _STEPS))
    vertices = posed_vertices(poses).reshape(count, _STEPS, -1, 3)
    closed = flexion.copy()
    for i in range(count):
        gauge = _gauge(shapes[i], (vertices[i] - centre[i]) @ axes[i]) - radius[i]  # (S, 778)
        for finger in range(5):
            depth = gauge[:, moving & (finger_of == finger)].min(1)
            touching = np.flatnonzero(depth < -_MAX_PENETRATION)
            last_free = _STEPS - 1 if len(touching) == 0 else max(int(touching[0]) - 1, 0)
            closed[i, finger, link] = trial[i, last_free, finger, link]
    return closed


def _gauge(shape: str, local: Array) -> Array:
    """Radius (...) at which an object of this shape would reach the points (..., 3) of its own frame."""
    if shape == 'sphere':
        return np.linalg.norm(local, axis=-1)
    if shape == 'bar':
        return np.abs(local[..., :2]).max(-1)
    return np.linalg.norm(local[..., :2], axis=-1)


_RADIUS_RANGE = {'cylinder': (0.016, 0.036), 'bar': (0.016, 0.028), 'sphere': (0.028, 0.040)}
