"""Depth images that lie beside colour images: which belong together, and in which units they are.

Taken are ``color_3.jpg`` with ``depth_3.png`` in one folder, and folders ``rgb`` and ``depth`` with the same names or,
as in the recordings of TUM, times as names, of which the nearest belong together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.depth import MILLIMETRES, encoded_depth
from hand3r_ros.imaging.limits import DEFAULT_MAX_PIXELS, ImageDecodingError
from hand3r_ros.media import MAX_BYTES_PER_PIXEL
from hand3r_ros.node.depth_alignment import PublishedDepth
from hand3r_ros.offline.errors import UnusableImageError
from hand3r_ros.offline.image_stamps import stamp_of_name

TUM_UNITS = 5000.0
"""Units per metre in the depth images of TUM's recordings."""
LONGEST_DISTANCE = 0.02
"""Seconds between colour and depth, as TUM's own tool has it."""

_COLOR_FOLDERS = ('rgb', 'color', 'colour', 'image', 'images')
_DEPTH_FOLDER = 'depth'
_DEPTH_SUFFIXES = ('.png', '.tif', '.tiff')
_DEPTH_NAME = re.compile(r'(?:(.*[^a-z])|)depth([^a-z].*|)', re.IGNORECASE)
_COLOR_WORDS = ('color', 'colour', 'rgb', 'image')


@dataclass(frozen=True)
class DepthFiles:
    """The depth file of each colour image, None where there is none."""

    color: tuple[Path, ...]
    depth: tuple[Path | None, ...]
    units_per_metre: float

    @property
    def count(self) -> int:
        """How many images have depth."""
        return sum(path is not None for path in self.depth)


def color_folder(folder: Path) -> Path:
    """Where the colour images of a folder lie: in it, or in its ``rgb`` beside a ``depth``."""
    if not (folder / _DEPTH_FOLDER).is_dir():
        return folder
    return next((folder / name for name in _COLOR_FOLDERS if (folder / name).is_dir()), folder)


def depth_beside(images: Sequence[Path], units_per_metre: float = 0.0) -> DepthFiles | None:
    """The colour images among those of a folder with their depth; None where no depth lies beside them.

    ``units_per_metre`` as a user says, 0: of TUM's layout 5000, else millimetres.
    """
    in_folder = {path.name: path for path in images}
    pairs = {name: partner for name in in_folder if (partner := _partner(name, in_folder)) is not None}
    if pairs:
        partners = set(pairs.values())
        color = tuple(path for path in images if path.name not in partners)
        depth = tuple(in_folder.get(pairs.get(path.name, '')) for path in color)
        return DepthFiles(color, depth, units_per_metre or MILLIMETRES)
    folder = images[0].parent.parent / _DEPTH_FOLDER
    if images[0].parent.name.lower() not in _COLOR_FOLDERS or not folder.is_dir():
        return None
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _DEPTH_SUFFIXES and path.is_file()]
    by_name = {path.stem: path for path in files}
    found: tuple[Path | None, ...] = tuple(by_name.get(path.stem) for path in images)
    timed = [(stamp, path) for path in files if (stamp := stamp_of_name(path.stem)) is not None]
    if timed and not all(found):
        stamps = np.array([stamp for stamp, _ in timed], np.int64)
        found = tuple(_nearest(image, stamps, timed) or same for image, same in zip(images, found, strict=True))
    if not any(found):
        return None
    as_tum = bool(timed) and '.' in timed[0][1].stem
    return DepthFiles(tuple(images), found, units_per_metre or (TUM_UNITS if as_tum else MILLIMETRES))


def read_depth(path: Path, units_per_metre: float, max_pixels: int = DEFAULT_MAX_PIXELS) -> PublishedDepth:
    """The depth in a file; raises UnusableImageError."""
    try:
        if path.stat().st_size > MAX_BYTES_PER_PIXEL * max_pixels:
            raise UnusableImageError(f'depth {path.name} is larger than any image of max_image_pixels ({max_pixels})')
        return PublishedDepth(encoded_depth(np.fromfile(path, np.uint8), max_pixels, units_per_metre), '')
    except OSError as error:
        raise UnusableImageError(f'depth {path.name} cannot be read: {error.strerror}') from error
    except ImageDecodingError as error:
        raise UnusableImageError(f'depth {path.name}: {error}') from error


def _partner(name: str, names: dict[str, Path]) -> str | None:
    """The name of the depth image that belongs to a colour image of this name in one folder."""
    stem, suffix = Path(name).stem, Path(name).suffix
    for word in _COLOR_WORDS:
        match = re.fullmatch(rf'((?:.*[^a-z])?){word}((?:[^a-z].*)?)', stem, re.IGNORECASE)
        if match is None:
            continue
        for other in dict.fromkeys((*_DEPTH_SUFFIXES, suffix)):
            partner = f'{match[1]}depth{match[2]}{other}'
            if partner in names and partner != name:
                return partner
    return None


def _nearest(image: Path, stamps: NDArray[np.int64], timed: list[tuple[int, Path]]) -> Path | None:
    stamp = stamp_of_name(image.stem)
    if stamp is None:
        return None
    index = int(np.argmin(np.abs(stamps - stamp)))
    return timed[index][1] if abs(int(stamps[index]) - stamp) <= LONGEST_DISTANCE * 1e9 else None
