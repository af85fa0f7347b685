"""Videos, folders of images and single images as input of a run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.media import MediaError, image_files, read_image
from hand3r_ros.node.frames import FALLBACK_CAMERA_FRAME
from hand3r_ros.offline.errors import InputError, UnusableImageError
from hand3r_ros.offline.inputs import Companions, InputImage, RgbImage
from hand3r_ros.video import Video, VideoFrame, VideoReading

NANOSECONDS = 1_000_000_000
FIRST_STAMP_NS = NANOSECONDS
"""Of the first image where the input has no clock: TF takes a stamp of 0 for 'the newest'."""

DEFAULT_IMAGE_RATE = 5.0
"""Hz, of image files whose names say no time."""

_NANOSECOND_NAME = re.compile(r'\d{16,19}')
_SECOND_NAME = re.compile(r'(\d{9,10})\.(\d{1,9})')


@dataclass(frozen=True)
class MediaOptions:
    """How files without messages are read."""

    fps: float = 0.0  # Hz; 0: the video's own times, or the times in the names of images, else 5 Hz
    frame_id: str = FALLBACK_CAMERA_FRAME


class VideoInput:
    """A video file that OpenCV can open."""

    def __init__(self, path: Path, options: MediaOptions) -> None:
        self._path, self._options = path, options
        self._reading: VideoReading | None = None
        try:
            self._video = Video(path)
        except MediaError as error:
            raise InputError(str(error)) from error

    @property
    def description(self) -> str:
        """Path and rate."""
        turned = ', turned upright as the file says' if self._video.is_turned else ''
        return f'video {self._path}, {self._options.fps or self._video.rate:g} Hz{turned}'

    @property
    def identity(self) -> dict[str, Any]:
        """Path, size and time of the last change."""
        status = self._path.stat()
        return {'video': str(self._path.resolve()), 'size': status.st_size, 'changed': status.st_mtime_ns}

    @property
    def length(self) -> int | None:
        """As the header of the video says."""
        return self._video.count

    def companions(self) -> Companions:
        """Nothing."""
        return Companions()

    def images(self) -> Iterator[InputImage]:
        """Every frame; the stamp is its presentation time, or follows from ``fps``. Lost ones cannot be decoded."""
        self._reading = self._video.read()
        try:
            for frame in self._reading:
                since_first = (
                    round(frame.index * NANOSECONDS / self._options.fps) if self._options.fps else frame.time_ns
                )
                stamp = FIRST_STAMP_NS + since_first
                name, decode = f'frame {frame.index}', partial(_rgb, frame)
                yield InputImage(name, stamp, stamp, self._options.frame_id, decode)
        finally:
            self._reading.close()

    def faults(self) -> tuple[str, ...]:
        """Damage, and images that the container counts and nobody could decode."""
        found = () if self._reading is None else self._reading.faults()
        return tuple(f'video {self._path}: {fault}' for fault in found)


class ImagesInput:
    """Image files."""

    def __init__(self, paths: list[Path], options: MediaOptions) -> None:
        self._paths, self._options = paths, options
        named = [stamp_of_name(path.stem) for path in paths]
        self._named: list[int] | None = None
        if not options.fps and len(paths) > 1 and all(stamp is not None for stamp in named):
            self._named = [stamp for stamp in named if stamp is not None]

    @property
    def description(self) -> str:
        """Number of images, folder, and where their stamps come from."""
        times = 'stamps from their names' if self._named else f'{self._options.fps or DEFAULT_IMAGE_RATE:g} Hz'
        count = 'one image' if len(self._paths) == 1 else f'{len(self._paths)} images'
        return f'{count} of {self._paths[0].parent}, {times}'

    @property
    def identity(self) -> dict[str, Any]:
        """Folder, number and a hash of names and sizes."""
        listing = '\n'.join(f'{path.name} {path.stat().st_size}' for path in self._paths)
        digest = hashlib.sha256(listing.encode()).hexdigest()
        return {'images': str(self._paths[0].parent.resolve()), 'number': len(self._paths), 'listing': digest}

    @property
    def length(self) -> int | None:
        """Number of files."""
        return len(self._paths)

    def companions(self) -> Companions:
        """Nothing."""
        return Companions()

    def faults(self) -> tuple[str, ...]:
        """None: every file stands for itself."""
        return ()

    def images(self) -> Iterator[InputImage]:
        """One per file."""
        for index, path in enumerate(self._paths):
            if self._named is not None:
                stamp = self._named[index]
            else:
                stamp = FIRST_STAMP_NS + round(index * NANOSECONDS / (self._options.fps or DEFAULT_IMAGE_RATE))
            yield InputImage(path.name, stamp, stamp, self._options.frame_id, partial(_read, path))


def images_of_folder(folder: Path, options: MediaOptions) -> ImagesInput:
    """All images of a folder; raises InputError when there is none."""
    try:
        return ImagesInput(image_files(folder), options)
    except MediaError as error:
        raise InputError(f'{error}; a recording (rosbag2) needs its metadata.yaml in the folder') from error


def stamp_of_name(stem: str) -> int | None:
    """Nanoseconds in a file name: as in EuRoC (1403636579763555584) or TUM (1305031102.175304), else None."""
    if _NANOSECOND_NAME.fullmatch(stem):
        return int(stem)
    if match := _SECOND_NAME.fullmatch(stem):
        return int(match[1]) * NANOSECONDS + int(match[2].ljust(9, '0'))
    return None


def _rgb(frame: VideoFrame, decoder: ImageDecoder | None = None) -> RgbImage:
    pixels = frame.pixels()
    if pixels is None:
        raise UnusableImageError('the video is damaged here')
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _read(path: Path, decoder: ImageDecoder | None = None) -> RgbImage:
    try:
        return np.asarray(cv2.cvtColor(read_image(path, decoder), cv2.COLOR_BGR2RGB), np.uint8)
    except MediaError as error:
        raise UnusableImageError(str(error)) from error
