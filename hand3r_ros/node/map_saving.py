"""Writes the scene map as PLY, only below one folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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


class MapPathError(ValueError):
    """The path is not one the map may be written to."""


def map_path(directory: str, requested: str) -> Path:
    """The file below ``directory`` that ``requested`` names; ``.ply`` is appended where it has no suffix.

    Raises:
        MapPathError: it leads out of the folder (also through links), is empty, or has another suffix.

    """
    root = Path(directory).expanduser().resolve()
    if not requested.strip() or '\0' in requested:
        raise MapPathError('path is empty or holds a NUL; give a file name such as scene.ply')
    path = (root / requested).resolve()
    if not path.suffix:
        path = path.with_name(path.name + '.ply').resolve()
    if not path.is_relative_to(root) or path == root:
        raise MapPathError(f"path '{requested}' leads out of {root} (parameter map.directory)")
    if path.suffix.lower() != '.ply':
        raise MapPathError(f"path '{requested}' must end in .ply")
    return path


def save_ply(path: Path, cloud: MapCloud, frame: str) -> int:
    """Write points and colors as binary PLY and give their number; the file appears complete or not at all."""
    vertices = np.empty(len(cloud.points), _VERTEX)
    vertices['xyz'], vertices['rgb'] = cloud.points, cloud.colors
    header = _HEADER.format(frame=frame.replace('\n', ' '), count=len(vertices))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + '.part')
    with unfinished.open('wb') as file:
        file.write(header.encode('ascii', 'replace'))
        file.write(vertices.tobytes())
    unfinished.replace(path)
    return len(vertices)
