"""One-euro filters: little lag in motion, little jitter at rest (Casiez, Roussel, Vogel, CHI 2012).

Positions are filtered per axis with a cutoff from the speed of the whole vector; rotations by turning the fraction of
the way towards the measurement (slerp) that the filter would take on a number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.online.config import SmoothingConfig

Array = NDArray[np.float64]


def smoothing_fraction(cutoff: float, seconds: float) -> float:
    """How far a first-order low pass of this cutoff (Hz) moves towards a measurement after a time step, 0..1."""
    turned = 2.0 * math.pi * cutoff * seconds
    return turned / (turned + 1.0)


@dataclass(frozen=True)
class FilterMemory:
    """What the filters of one track know between two frames."""

    position: Array  # (3,) m
    velocity: Array  # (3,) m/s
    rotation: Array  # (4,) unit quaternion x y z w
    speed: float  # rad/s
    stamp_ns: int

    def check(self) -> None:
        """Raises ValueError for what no filter knows."""
        numbers = np.concatenate([self.position, self.velocity, self.rotation, [self.speed]])
        if not np.isfinite(numbers).all() or abs(float(np.linalg.norm(self.rotation)) - 1.0) > 1e-6:
            raise ValueError('a smoothed hand has values that are not finite, or no unit quaternion')


class OneEuroPosition:
    """A position (3,) in metres; stamps in nanoseconds."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._value: Array | None = None
        self._velocity = np.zeros(3)  # never changed in place
        self._stamp_ns = 0

    def update(self, position: Array, stamp_ns: int) -> Array:
        """The filtered position; the first one is returned as it is, as is everything when time stands still."""
        seconds = (stamp_ns - self._stamp_ns) * 1e-9
        if self._value is None or seconds <= 0.0:
            self._value, self._stamp_ns = np.array(position, float), stamp_ns
            return self._value
        velocity = (position - self._value) / seconds
        share = smoothing_fraction(self._config.derivative_cutoff, seconds)
        self._velocity = self._velocity + share * (velocity - self._velocity)
        cutoff = self._config.min_cutoff + self._config.beta * float(np.linalg.norm(self._velocity))
        self._value = self._value + smoothing_fraction(cutoff, seconds) * (position - self._value)
        self._stamp_ns = stamp_ns
        return self._value

    def memory(self) -> tuple[Array, Array]:
        """Position and velocity; the filter must have seen a position."""
        assert self._value is not None
        return self._value, self._velocity

    def restore(self, memory: FilterMemory) -> None:
        """Restores what ``memory`` gave."""
        self._value, self._velocity, self._stamp_ns = memory.position, memory.velocity, memory.stamp_ns


class OneEuroRotation:
    """A rotation matrix (3, 3); stamps in nanoseconds."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._value: Rotation | None = None
        self._speed = 0.0
        self._stamp_ns = 0

    def update(self, matrix: Array, stamp_ns: int) -> Array:
        """The filtered rotation; the first one is returned as it is, as is everything when time stands still."""
        measured = Rotation.from_matrix(matrix)
        seconds = (stamp_ns - self._stamp_ns) * 1e-9
        if self._value is None or seconds <= 0.0:
            self._value, self._stamp_ns = measured, stamp_ns
            return measured.as_matrix()
        turn = (measured * self._value.inv()).as_rotvec()  # shortest way, radians
        speed = float(np.linalg.norm(turn)) / seconds
        self._speed += smoothing_fraction(self._config.derivative_cutoff, seconds) * (speed - self._speed)
        cutoff = self._config.min_cutoff + self._config.beta * self._speed
        self._value = Rotation.from_rotvec(smoothing_fraction(cutoff, seconds) * turn) * self._value
        self._stamp_ns = stamp_ns
        return self._value.as_matrix()

    def memory(self) -> tuple[Array, float, int]:
        """Rotation as quaternion, speed and stamp; the filter must have seen a rotation."""
        assert self._value is not None
        return self._value.as_quat(), self._speed, self._stamp_ns

    def restore(self, memory: FilterMemory) -> None:
        """Goes on from there; the quaternion keeps its bits, which normalising it again could change."""
        self._value = Rotation(memory.rotation, normalize=False)
        self._speed, self._stamp_ns = memory.speed, memory.stamp_ns


class HandSmoother:
    """One pair of filters per track."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._filters: dict[int, tuple[OneEuroPosition, OneEuroRotation]] = {}

    def reset(self) -> None:
        """Removes all tracks."""
        self._filters.clear()

    def keep_only(self, track_ids: set[int]) -> None:
        """Forget the tracks that are not among these."""
        self._filters = {track: filters for track, filters in self._filters.items() if track in track_ids}

    def forget(self, track_id: int) -> None:
        """Restarts the filter of this track, whose history no longer holds."""
        self._filters.pop(track_id, None)

    def memory(self) -> dict[int, FilterMemory]:
        """What ``restore`` needs, by track."""
        memory = {}
        for track, (position_filter, rotation_filter) in self._filters.items():
            position, velocity = position_filter.memory()
            memory[track] = FilterMemory(position, velocity, *rotation_filter.memory())
        return memory

    def restore(self, memory: dict[int, FilterMemory]) -> None:
        """Goes on from there; raises ValueError for an impossible memory."""
        self._filters = {}
        for track, filters in memory.items():
            filters.check()
            position, rotation = OneEuroPosition(self._config), OneEuroRotation(self._config)
            position.restore(filters)
            rotation.restore(filters)
            self._filters[track] = position, rotation

    def update(self, track_id: int, T_world_wrist: Array, stamp_ns: int) -> Array:
        """The smoothed wrist pose (4, 4) of a track."""
        if track_id not in self._filters:
            self._filters[track_id] = OneEuroPosition(self._config), OneEuroRotation(self._config)
        position, rotation = self._filters[track_id]
        T = np.eye(4)
        T[:3, 3] = position.update(T_world_wrist[:3, 3], stamp_ns)
        T[:3, :3] = rotation.update(T_world_wrist[:3, :3], stamp_ns)
        return T
