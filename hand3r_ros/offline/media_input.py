"""Videos, folders of images and single images as input of a run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.media import MediaError, image_folder, read_image, shown_name
from hand3r_ros.node.depth_alignment import PublishedDepth
from hand3r_ros.node.frames import FALLBACK_CAMERA_FRAME
from hand3r_ros.offline.depth_files import color_folder, depth_beside, read_depth
from hand3r_ros.offline.errors import InputError, UnusableImageError
from hand3r_ros.offline.image_stamps import stamps_of_names
from hand3r_ros.offline.inputs import Companions, InputImage, RgbImage
from hand3r_ros.video import Video, VideoFrame, VideoReading

NANOSECONDS = 1_000_000_000
FIRST_STAMP_NS = NANOSECONDS
"""Of the first image where the input has no clock: TF takes a stamp of 0 for 'the newest'."""

DEFAULT_IMAGE_RATE = 5.0
"""Hz, of image files whose names say no time."""


@dataclass(frozen=True)
class MediaOptions:
    """How files without messages are read."""

    fps: float = 0.0  # Hz; 0: the video's own times, or the times in the names of images, else 5 Hz
    frame_id: str = FALLBACK_CAMERA_FRAME
    use_depth: bool = True  # that lies beside image files
    depth_units: float = 0.0  # per metre, of 16 bit depth; 0: by their layout


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
        self._depth = depth_beside(paths, options.depth_units) if len(paths) > 1 else None
        paths = list(paths) if self._depth is None else list(self._depth.color)
        self._depth_of = (
            {} if self._depth is None or not options.use_depth else dict(zip(paths, self._depth.depth, strict=True))
        )
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
        """Number of images, folder, and where their stamps come from; of one image its name."""
        times = 'stamps from their names' if self._has_named else f'{self._options.fps or DEFAULT_IMAGE_RATE:g} Hz'
        with_depth = sum(path is not None for path in self._depth_of.values())
        units = (
            f', {with_depth} with depth in {self._depth.units_per_metre:g} units a metre'
            if self._depth and with_depth
            else ''
        )
        if len(self._paths) == 1:
            return f'image {shown_name(self._paths[0])}{units}'
        return f'{len(self._paths)} images of {shown_name(self._paths[0].parent)}, {times}{units}'

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
            yield InputImage(
                shown_name(Path(path.name)), stamp, stamp, self._options.frame_id, decode, self._read_depth(path)
            )

    def _read_depth(self, path: Path) -> Callable[[], PublishedDepth] | None:
        depth = self._depth_of.get(path)
        if depth is None or self._depth is None:
            return None
        return partial(read_depth, depth, self._depth.units_per_metre)


def images_of_folder(folder: Path, options: MediaOptions) -> ImagesInput:
    """All images of a folder, or of its ``rgb`` beside a ``depth``; raises InputError when there is none."""
    try:
        found = image_folder(color_folder(folder))
    except MediaError as error:
        raise InputError(f'{error}; a recording (rosbag2) needs its metadata.yaml in the folder') from error
    return ImagesInput(found.images, options, found.notes)


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
