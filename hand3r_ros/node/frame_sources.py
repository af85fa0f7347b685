"""Frame sources of the camera player: a video, a folder of images, one image or a camera. No ROS."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.imaging.decoder import DecodingOptions, ImageDecoder
from hand3r_ros.imaging.limits import DEFAULT_MAX_PIXELS
from hand3r_ros.media import MediaError, image_folder, is_image, read_image
from hand3r_ros.online.results import HandResult
from hand3r_ros.video import Video

RECORDINGS = ('.mcap', '.db3', '.bag')
MOST_FAULTS = 20
"""Of a pass that are kept."""

SourceError = MediaError
"""The frames cannot be had; the message names the file and what to do."""


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What is exactly known about a rendered frame."""

    T_world_camera: NDArray[np.float64]  # (4, 4) optical frame to the scene's world (z up)
    hands: tuple[HandResult, ...]  # ``score`` is the visible fraction, ``track_id`` the instance
    depth: NDArray[np.float32]  # (H, W) m along the optical axis, 0 = nothing


@dataclass(frozen=True, eq=False)
class SourceFrame:
    """One image to play."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    intrinsics: Intrinsics | None = None  # None when the camera is unknown
    truth: GroundTruth | None = None  # None for real images
    age: Callable[[], float] | None = None  # seconds since it was taken; None: it is taken when it is played


class FrameSource(Protocol):
    """Gives the frames of one pass, in order."""

    fps: float
    faults: tuple[str, ...]
    """What the last pass found wrong with the file: one line each."""
    is_live: bool
    """Frames come when they are taken, and only the newest counts."""

    @property
    def description(self) -> str:
        """What is played, for the log."""
        ...

    def frames(self) -> Iterator[SourceFrame]:
        """Starts a new pass."""
        ...


@dataclass(frozen=True)
class RealImages:
    """How real images are played."""

    fps: float = 0.0  # frames per second; 0: as the video says, 5 for images
    frames: int = 0  # at most; 0: all
    max_size: int = 0  # longer images are made smaller, px; 0: never
    camera: tuple[float, float, float, float] | None = None  # fx, fy, cx, cy, px of the file's images
    max_pixels: int = DEFAULT_MAX_PIXELS  # image files that say they have more are refused


class VideoSource:
    """A video file in real time: at a lower rate than its own, frames between are skipped."""

    is_live = False

    def __init__(self, path: Path, options: RealImages) -> None:
        self._video, self._options = Video(path), options
        self.fps = options.fps or self._video.rate
        self.faults: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Path and rate."""
        turned = ', turned upright as the file says' if self._video.is_turned else ''
        return f'video {self._video.path} at {self.fps:g} Hz{turned}'

    def frames(self) -> Iterator[SourceFrame]:
        """All frames, or as many as the options say; what is lost in a damaged file is passed over."""
        reading = self._video.read()
        step = max(self._video.rate / self.fps, 1.0)
        given = 0
        try:
            for frame in reading:
                if frame.index < round(given * step):
                    continue
                given += 1
                pixels = frame.pixels()
                if pixels is not None:
                    yield source_frame(pixels, self._options)
                if given == self._options.frames:
                    return
        finally:
            reading.close()
            self.faults = tuple(f'video {self._video.path}: {fault}' for fault in reading.faults())


class ImageSource:
    """Image files, in the order given."""

    is_live = False

    def __init__(self, paths: Sequence[Path], options: RealImages, notes: Sequence[str] = ()) -> None:
        self._paths, self._options, self._notes = tuple(paths), options, tuple(notes)
        self.fps = options.fps or 5.0
        self._decoder = ImageDecoder(DecodingOptions(options.max_pixels))
        self.faults = self._notes
        if not any(_is_image(path, self._decoder) for path in paths):
            read_image(paths[0], self._decoder)  # says what is wrong with it

    @property
    def description(self) -> str:
        """Number of images and their folder."""
        count = 'one image' if len(self._paths) == 1 else f'{len(self._paths)} images'
        return f'{count} of {self._paths[0].parent} at {self.fps:g} Hz'

    def frames(self) -> Iterator[SourceFrame]:
        """One after the other; one image alone is repeated as often as the options say."""
        paths = self._paths * max(self._options.frames, 1) if len(self._paths) == 1 else self._paths
        self.faults = self._notes
        for path in paths[: self._options.frames or None]:
            try:
                pixels = read_image(path, self._decoder)
            except MediaError as error:
                self.faults = (*self.faults, f'{error}: left out')[:MOST_FAULTS]
                continue
            yield source_frame(pixels, self._options)


def open_images(path: Path, options: RealImages) -> VideoSource | ImageSource:
    """The source for a path: a folder of images, an image or a video.

    Raises:
        SourceError: there is nothing at the path, or nothing that can be read.
    """
    path = path.expanduser()
    if path.is_dir():
        folder = image_folder(path)
        return ImageSource(folder.images, options, folder.notes)
    if not path.is_file():
        raise SourceError(f'{path} does not exist: give a video, an image or a folder of images')
    if path.suffix.lower() in RECORDINGS:
        raise SourceError(f'{path} is a recording: play it with `ros2 bag play`, or give it to `hand3r run`')
    if is_image(path):
        return ImageSource([path], options)
    return VideoSource(path, options)


def _is_image(path: Path, decoder: ImageDecoder) -> bool:
    try:
        read_image(path, decoder)
    except MediaError:
        return False
    return True


def source_frame(pixels_bgr: NDArray, options: RealImages) -> SourceFrame:
    """A real image (H, W, 3) BGR as it is played."""
    height, width = pixels_bgr.shape[:2]
    intrinsics = None if options.camera is None else Intrinsics(*options.camera, width, height)
    scale = options.max_size / max(width, height) if options.max_size else 1.0
    if scale < 1.0:
        width, height = round(width * scale), round(height * scale)
        pixels_bgr = cv2.resize(pixels_bgr, (width, height), interpolation=cv2.INTER_AREA)
        intrinsics = None if intrinsics is None else intrinsics.resized(width, height)
    return SourceFrame(np.asarray(cv2.cvtColor(pixels_bgr, cv2.COLOR_BGR2RGB), np.uint8), intrinsics)


def main(arguments: list[str]) -> int:
    """Say what a path would play, or why it cannot be played (exit code 1)."""
    if len(arguments) != 1:
        print('usage: frame_sources PATH', file=sys.stderr)
        return 2
    try:
        print(open_images(Path(arguments[0]), RealImages()).description)
    except SourceError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
