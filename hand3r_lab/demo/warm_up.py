"""Compiles what drawing needs, so that the first picture does not wait for it."""

from __future__ import annotations

import numpy as np

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.visualization.painter import Painter


def warm_up() -> None:
    """Draw one of everything into a tiny picture."""
    painter = Painter(Intrinsics(8.0, 8.0, 3.5, 3.5, 8, 8), np.zeros(3))
    points = np.array([[0.0, 0.0, 1.0], [0.2, 0.0, 1.0], [0.0, 0.2, 1.0]])
    painter.points(points, np.zeros((3, 3)), 0.1)
    painter.tube(points, (0.0, 0.0, 0.0), 0.1)
    painter.mesh(points, np.array([[0, 2, 1]]), (0.0, 0.0, 0.0))
