"""Grasps: an object is laid against the palm and every finger closes, link by link, until it touches.

Objects are approximated while grasping by an endless cylinder, an endless square bar or a sphere. Grasps are found
once per process and pool; a sequence only refits the object's radius to the size of its own hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.hand_poses import articulation
from hand3r_lab.scenes.skinning import skin_hands
from hand3r_lab.scenes.splits import POOLS
from hand3r_ros.hand_model.data import load_open_hand

Array = NDArray[np.float64]

POOL_SIZE = 48
SHAPES: tuple[str, ...] = ('cylinder', 'bar', 'sphere')
_MAX_PENETRATION = 0.001  # m
_MAX_FLEXION = np.deg2rad([[82, 98, 60]] * 4 + [[40, 45, 60]])  # fingers in MANO order, thumb last
_START_FLEXION = np.deg2rad([[-12, 4, 2]] * 4 + [[-12, -12, -5]])
_HALVINGS = 5  # of the range of a joint: about 3 degrees are left


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
        radius = float(_gauge(self.shape, local).min()) + _MAX_PENETRATION
        radius = min(max(radius, 0.5 * self.radius), 1.3 * self.radius)
        return Grasp(self.articulation, self.shape, radius, self.centre, self.axes)


def posed_vertices(articulations: Array) -> Array:
    """(N, 778, 3) right hands of mean shape without global rotation, wrist joint at the origin."""
    count = len(articulations)
    rotations = np.tile(np.eye(3), (count, 16, 1, 1))
    rotations[:, 1:] = Rotation.from_rotvec(articulations.reshape(-1, 3)).as_matrix().reshape(count, 15, 3, 3)
    return skin_hands(rotations, np.zeros(10)).vertices


@lru_cache(maxsize=POOLS)
def grasp_pool(seed: int) -> tuple[Grasp, ...]:
    """The grasps that the pool seed ``seed`` draws."""
    rng = np.random.default_rng([seed, 37])
    return find_grasps(rng, POOL_SIZE)


def find_grasps(rng: np.random.Generator, count: int) -> tuple[Grasp, ...]:
    """``count`` grasps of random objects; tries in which a finger cannot get out of the object's way are dropped."""
    found: list[Grasp] = []
    while len(found) < count:
        tries = _try_grasps(rng, count)
        vertices = posed_vertices(np.stack([one.articulation for one in tries]))
        found += [one for one, hand in zip(tries, vertices, strict=True) if _holds(one, hand)]
    return tuple(found[:count])


def _holds(grasp: Grasp, vertices: Array) -> bool:
    """Whether the object keeps its size without piercing the hand, and at least three fingers lie on it."""
    gap = _gauge(grasp.shape, (vertices - grasp.centre) @ grasp.axes) - grasp.radius
    owner = load_open_hand().weights.argmax(1)
    touching = [gap[(owner > 3 * finger) & (owner <= 3 * finger + 3)].min() < 0.005 for finger in range(5)]
    return bool(gap.min() > -0.004) and sum(touching) >= 3


def _try_grasps(rng: np.random.Generator, count: int) -> tuple[Grasp, ...]:
    shapes = [str(rng.choice(SHAPES, p=[0.67, 0.23, 0.1])) for _ in range(count)]
    radius = np.array([rng.uniform(*_RADIUS_RANGE[shape]) for shape in shapes])
    angles = np.array([8.0, 0.0]) + rng.normal(0.0, [14.0, 6.0], (count, 2))
    tilt = Rotation.from_euler('yx', angles, degrees=True).as_matrix()
    turned = Rotation.from_euler('z', rng.uniform(-20.0, 20.0, (count, 1)), degrees=True).as_matrix()
    axes = tilt @ turned
    opposition = np.zeros(count)
    spread = np.zeros((count, 5))
    spread[:, :4] = np.deg2rad(rng.normal(0.0, 2.0, (count, 4)))
    flexion = np.tile(_START_FLEXION, (count, 1, 1))
    start = posed_vertices(articulation(flexion, spread, opposition))
    centre = _lay_against_palm(rng, start, shapes, radius, axes)
    opposition, spread[:, 4], flexion[:, 4, 0] = _place_thumb(rng, spread, shapes, radius, centre, axes)
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


def _place_thumb(
    rng: np.random.Generator, spread: Array, shapes: list[str], radius: Array, centre: Array, axes: Array
) -> tuple[Array, Array, Array]:
    """Opposition, spread and base flexion (N,) that bring the straight thumb nearest to the object, not into it."""
    count, options = len(shapes), len(_THUMB_OPTIONS)
    trial = np.tile(_START_FLEXION, (count, options, 1, 1))
    trial[:, :, 4, 0] = _THUMB_OPTIONS[:, 2]
    sideways = np.repeat(spread[:, None], options, axis=1)
    sideways[:, :, 4] = _THUMB_OPTIONS[:, 1]
    poses = articulation(trial.reshape(-1, 5, 3), sideways.reshape(-1, 5), np.tile(_THUMB_OPTIONS[:, 0], count))
    thumb = load_open_hand().weights[:, 13:].sum(1) > 0.5
    vertices = posed_vertices(poses)[:, thumb].reshape(count, options, -1, 3)
    chosen = np.empty(count, int)
    for i in range(count):
        gap = _gauge(shapes[i], (vertices[i] - centre[i]) @ axes[i]).min(-1) - radius[i]
        cost = np.where(gap > -_MAX_PENETRATION, gap, 1.0 - gap) + rng.uniform(0.0, 0.008, options)
        chosen[i] = int(cost.argmin())
    return _THUMB_OPTIONS[chosen, 0], _THUMB_OPTIONS[chosen, 1], _THUMB_OPTIONS[chosen, 2]


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
    owner = load_open_hand().weights.argmax(1)
    moving = [
        (owner > 3 * finger + link) & (owner <= 3 * finger + 3)  # the joint's link and those beyond it
        for finger in range(5)
    ]

    def touches(angles: Array) -> NDArray[np.bool_]:
        trial = flexion.copy()
        trial[:, :, link] = angles
        vertices = posed_vertices(articulation(trial, spread, opposition))
        contact = np.zeros((count, 5), bool)
        for i in range(count):
            gap = _gauge(shapes[i], (vertices[i] - centre[i]) @ axes[i]) - radius[i]
            contact[i] = [gap[mine].min() < -_MAX_PENETRATION for mine in moving]
        return contact

    free = flexion[:, :, link].copy()
    limit = np.tile(_MAX_FLEXION[:, link], (count, 1))
    blocked = touches(limit)
    for _ in range(_HALVINGS):
        middle = 0.5 * (free + limit)
        contact = touches(middle)
        free, limit = np.where(contact, free, middle), np.where(contact, middle, limit)
    closed = flexion.copy()
    closed[:, :, link] = np.where(blocked, free, _MAX_FLEXION[:, link])
    return closed


def _gauge(shape: str, local: Array) -> Array:
    """Radius (...) at which an object of this shape would reach the points (..., 3) of its own frame."""
    if shape == 'sphere':
        return np.linalg.norm(local, axis=-1)
    if shape == 'bar':
        return np.abs(local[..., :2]).max(-1)
    return np.linalg.norm(local[..., :2], axis=-1)


_RADIUS_RANGE = {'cylinder': (0.016, 0.036), 'bar': (0.016, 0.028), 'sphere': (0.028, 0.040)}
_THUMB_OPTIONS = np.deg2rad(
    [
        (opposition, spread, flexion)
        for opposition in (-15.0, 10.0, 35.0, 60.0)
        for spread in (-30.0, -5.0)
        for flexion in (-15.0, 10.0)
    ]
)
"""(16, 3) opposition, spread and base flexion that are tried for the thumb."""
