"""What measured depth costs per image of 640 x 480 on one core, beside the network: readings, scale, holes."""

from __future__ import annotations

import numpy as np

from hand3r_lab.benchmark.measuring import median_seconds
from hand3r_ros.online.measured_depth import look_at, scene_depth
from hand3r_ros.online.preparation import ImageGeometry

IMAGES = 50
HOLES = 0.3
"""Share of the pixels without reading, in blocks."""


def depth_numbers(long_side: int) -> dict[str, float]:
    """Milliseconds for a slanted plane with holes, for a network image of this long side."""
    geometry = ImageGeometry.for_image(640, 480, long_side)
    shape = (geometry.height, geometry.width)
    rng = np.random.default_rng(0)
    v, u = np.indices((480, 640))
    depth = (1.0 + 0.002 * u + 0.001 * v).astype(np.float32)
    blocks = rng.random((24, 32)) < HOLES
    depth[np.kron(blocks, np.ones((20, 20), bool))] = 0.0
    predicted = np.full(shape, 0.7, np.float32)
    image = rng.integers(0, 255, (*shape, 3), np.uint8)
    hands = np.zeros(shape, bool)

    def once() -> None:
        scene_depth(predicted, image, look_at(depth, geometry, 'auto'), hands)

    once()  # compiles
    return {'measured depth 640x480: ms of CPU time per image': 1e3 * median_seconds(once, IMAGES).cpu}
