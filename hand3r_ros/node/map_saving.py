"""Writes the scene map as PLY, only below one folder."""

from __future__ import annotations

import numpy as np

from hand3r_ros.files import ConfinedFile, FilePlace, replacing
from hand3r_ros.node.confined_paths import confined_file
from hand3r_ros.online.mapping import MapCloud

_VERTEX = np.dtype([('xyz', '<f4', 3), ('rgb', 'u1', 3)])
_HEADER = """ply
format binary_little_endian 1.0
comment scene map of hand3r_ros, metres, in the frame {frame}
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
end_header
"""


def map_file(directory: str, requested: str) -> ConfinedFile:
    """The PLY file below ``directory`` that a service call names; raises ``ConfinedPathError``."""
    return confined_file(directory, requested, '.ply', 'map.directory')


def save_ply(place: FilePlace, cloud: MapCloud, frame: str) -> int:
    """Write points and colors as binary PLY and give their number; the file appears complete or not at all.

    Raises:
        OSError: it cannot be written.

    """
    vertices = np.empty(len(cloud.points), _VERTEX)
    vertices['xyz'], vertices['rgb'] = cloud.points, cloud.colors
    header = _HEADER.format(frame=frame.replace('\n', ' '), count=len(vertices))
    with replacing(place) as file:
        file.write(header.encode('ascii', 'replace'))
        file.write(vertices.tobytes())
    return len(vertices)
