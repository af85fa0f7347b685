"""A camera of this machine as a source of frames, through OpenCV: for machines without a camera driver for ROS.

Only the newest image counts: what nobody has taken when the next one comes is gone. An image says how old it is, so
that its stamp is the time at which it was taken.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.node.frame_sources import RealImages, SourceError, SourceFrame, source_frame

FALLBACK_RATE = 30.0
"""Hz, of cameras that do not say theirs."""

SILENCE = 5.0
"""Seconds without an image after which a camera is given up."""

_PAUSE = 0.05  # s, after an image that could not be read
_DEVICES = Path('/dev')


class Capture(Protocol):
    """What of ``cv2.VideoCapture`` is used."""

    def isOpened(self) -> bool:  # noqa: N802
        """Whether images may come."""
        ...

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        """The next image (H, W, 3) BGR, once it is there; False without one."""
        ...

    def get(self, property_id: int) -> float:
        """A property, 0 for what is not known."""
        ...

    def release(self) -> None:
        """Give the camera back."""
        ...


def is_camera(source: str) -> bool:
    """Whether a source is a camera of this machine: a number, or a path of (or where there would be) a device."""
    path = Path(source)
    return source.isdecimal() or path.parent == _DEVICES or path.is_char_device()


class CameraDevice:
    """Gives the images of a camera as they come, until it gives none for ``SILENCE`` seconds."""

    is_live = True

    def __init__(self, source: str, options: RealImages, open_capture: Callable[[str], Capture] | None = None) -> None:
        """Opens the camera for a look.

        Args:
            source: a device such as /dev/video0, or its number.
            options: how its images are played.
            open_capture: opens it; None: OpenCV does.

        Raises:
            SourceError: there is no such camera, or it cannot be used; says what to do.

        """
        self.path = f'/dev/video{int(source)}' if source.isdecimal() else source
        self._options = options
        self._open = open_capture or _open_device
        self.faults: tuple[str, ...] = ()
        capture = self._opened()
        try:
            self.fps = options.fps or _rate(capture)
        finally:
            capture.release()

    @property
    def description(self) -> str:
        """Device and rate."""
        return f'camera {self.path} at {self.fps:g} Hz at most'

    def frames(self) -> Iterator[SourceFrame]:
        """Images as they come, or as many as the options say.

        Raises:
            SourceError: the camera gives no image any more.

        """
        capture = self._opened()
        given, heard = 0, time.monotonic()
        try:
            while not 0 < self._options.frames <= given:
                good, pixels = capture.read()
                now = time.monotonic()
                if good and pixels is not None and pixels.ndim == 3:
                    given, heard = given + 1, now
                    yield replace(source_frame(pixels, self._options), age=partial(_seconds_since, now))
                elif now - heard > SILENCE:
                    raise SourceError(f'camera {self.path} has given no image for {SILENCE:g} s: was it unplugged?')
                else:
                    time.sleep(_PAUSE)
        finally:
            capture.release()

    def _opened(self) -> Capture:
        if self._open is _open_device:
            _check_device(Path(self.path))
        capture = self._open(self.path)
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                f'camera {self.path} cannot be opened: another program may use it, or it gives no images (a camera has '
                'several devices: try the next number)'
            )
        return capture


def _check_device(path: Path) -> None:
    """Raises SourceError for what OpenCV would only say that it cannot be opened."""
    try:
        mode = path.stat().st_mode
    except OSError:
        there = sorted(str(device) for device in _DEVICES.glob('video*'))
        advice = f'there is {", ".join(there)}' if there else 'none is connected, or none passed into this container'
        raise SourceError(f'there is no camera {path}: {advice}') from None
    if not stat.S_ISCHR(mode):
        raise SourceError(f'{path} is no camera device')
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f'camera {path} may not be used by you: add yourself to its group (usermod -aG video $USER)')


def _open_device(path: str) -> Capture:
    return cv2.VideoCapture(path, cv2.CAP_V4L2)  # type: ignore[return-value]


def _rate(capture: Capture) -> float:
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if 1.0 <= rate <= 240.0 else FALLBACK_RATE


def _seconds_since(moment: float) -> float:
    return max(0.0, time.monotonic() - moment)
