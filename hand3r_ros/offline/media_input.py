"""Videos, folders of images and single images as input of a run."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.media import MediaError, image_folder, read_image, shown_name
from hand3r_ros.node.frames import FALLBACK_CAMERA_FRAME
from hand3r_ros.offline.errors import InputError, UnusableImageError
from hand3r_ros.offline.inputs import Companions, InputImage, RgbImage
from hand3r_ros.video import Video, VideoFrame, VideoReading

NANOSECONDS = 1_000_000_000
FIRST_STAMP_NS = NANOSECONDS
"""Of the first image where the input has no clock: TF takes a stamp of 0 for 'the newest'."""

DEFAULT_IMAGE_RATE = 5.0
"""Hz, of image files whose names say no time."""

FASTEST_RATE = 1000
"""Hz, that names may say."""

_WHOLE_NAME = re.compile(r'[1-9][0-9]+')
_UNITS = {19: 1, 18: 1, 16: 1_000, 13: 1_000_000}
"""Nanoseconds of one, by the number of digits."""
_SECOND_NAME = re.compile(r'([1-9][0-9]{8,9})\.([0-9]{1,9})')


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

    def __init__(self, paths: Sequence[Path], options: MediaOptions, notes: tuple[str, ...] = ()) -> None:
        """Takes the stamps from the names where most of them are times.

        Raises:
            InputError: the names are times of more than 1000 images per second.

        """
        self._options, self._notes = options, notes
        self._paths = list(paths)
        self._stamps = [None] * len(paths) if options.fps else stamps_of_names([path.stem for path in paths])
        self._has_named = any(stamp is not None for stamp in self._stamps)
        if self._has_named:
            known = sorted((s, i) for i, s in enumerate(self._stamps) if s is not None)
            order = [i for _, i in known] + [i for i, s in enumerate(self._stamps) if s is None]
            self._paths = [self._paths[i] for i in order]
            self._stamps = [self._stamps[i] for i in order]

    @property
    def description(self) -> str:
        """Number of images, folder, and where their stamps come from."""
        times = 'stamps from their names' if self._has_named else f'{self._options.fps or DEFAULT_IMAGE_RATE:g} Hz'
        count = 'one image' if len(self._paths) == 1 else f'{len(self._paths)} images'
        return f'{count} of {self._paths[0].parent}, {times}'

    @property
    def identity(self) -> dict[str, Any]:
        """Folder, number and a hash of names and sizes."""
        listing = '\n'.join(f'{path.name} {path.stat().st_size}' for path in self._paths)
        digest = hashlib.sha256(os.fsencode(listing)).hexdigest()
        return {'images': shown_name(self._paths[0].parent.resolve()), 'number': len(self._paths), 'listing': digest}

    @property
    def length(self) -> int | None:
        """Number of files."""
        return len(self._paths)

    def companions(self) -> Companions:
        """Nothing but notes."""
        return Companions(notes=self._notes)

    def faults(self) -> tuple[str, ...]:
        """None: every file stands for itself."""
        return ()

    def images(self) -> Iterator[InputImage]:
        """One per file; those without a time come last where the others have one, and cannot be used."""
        rate = self._options.fps or DEFAULT_IMAGE_RATE
        last_ns = 0
        for index, (path, stamp) in enumerate(zip(self._paths, self._stamps, strict=True)):
            decode = partial(_read, path)
            if stamp is None and self._has_named:
                stamp, decode = last_ns, partial(_no_time, path)
            elif stamp is None:
                stamp = FIRST_STAMP_NS + round(index * NANOSECONDS / rate)
            last_ns = stamp
            yield InputImage(shown_name(Path(path.name)), stamp, stamp, self._options.frame_id, decode)


def images_of_folder(folder: Path, options: MediaOptions) -> ImagesInput:
    """All images of a folder; raises InputError when there is none."""
    try:
        found = image_folder(folder)
    except MediaError as error:
        raise InputError(f'{error}; a recording (rosbag2) needs its metadata.yaml in the folder') from error
    return ImagesInput(found.images, options, found.notes)


def stamps_of_names(stems: Sequence[str]) -> list[int | None]:
    """Nanoseconds of every name; None for all where fewer than half of them are times.

    Raises:
        InputError: they would be more than 1000 images per second, so that they cannot be times.

    """
    stamps = [stamp_of_name(stem) for stem in stems]
    known = sorted(stamp for stamp in stamps if stamp is not None)
    if len(known) < 2 or 2 * len(known) < len(stems):
        return [None] * len(stems)
    step = int(np.median(np.diff(known)))
    if step * FASTEST_RATE < NANOSECONDS:
        rate = f'{NANOSECONDS / step:.0f} images per second' if step else 'images at the same time'
        raise InputError(f'names such as {stems[0]} say {rate} when they are read as times: give the rate with --fps')
    return stamps


def stamp_of_name(stem: str) -> int | None:
    """Nanoseconds since 1970 in a file name, by its number of digits.

    18 or 19 are nanoseconds (1403636579763555584, EuRoC), 16 microseconds (Oxford RobotCar), 13 milliseconds, 9 or 10
    with a fraction seconds (1305031102.175304, TUM). Everything else, and zeros in front, are numbers of images: None.
    """
    if (match := _WHOLE_NAME.fullmatch(stem)) and len(stem) in _UNITS:
        return int(match[0]) * _UNITS[len(stem)]
    if match := _SECOND_NAME.fullmatch(stem):
        return int(match[1]) * NANOSECONDS + int(match[2].ljust(9, '0'))
    return None


def _rgb(frame: VideoFrame, decoder: ImageDecoder | None = None) -> RgbImage:
    pixels = frame.pixels()
    if pixels is None:
        raise UnusableImageError('the video is damaged here')
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _no_time(path: Path, decoder: ImageDecoder | None = None) -> RgbImage:
    raise UnusableImageError('its name is no time, as those of the other images are')


def _read(path: Path, decoder: ImageDecoder | None = None) -> RgbImage:
    try:
        return np.asarray(cv2.cvtColor(read_image(path, decoder), cv2.COLOR_BGR2RGB), np.uint8)
    except MediaError as error:
        said = str(error).removeprefix(str(path)).lstrip(': ')
        raise UnusableImageError(said) from error
