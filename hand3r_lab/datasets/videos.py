"""Frames of HOI4D's videos by number: from the images its decode script writes, else out of the video itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_lab.datasets.files import depth_in_metres, read_color, read_depth
from hand3r_lab.datasets.samples import CorruptSampleError

_LONGEST_WALK = 40  # frames; reading on is faster than seeking to the key frame before


class Frames(Protocol):
    """Numbered frames from 0."""

    def __len__(self) -> int:
        """Number of frames."""

    def read(self, index: int) -> NDArray:
        """Frame ``index``; raises CorruptSampleError when it cannot be had."""


class DecodedFrames:
    """``%05d.jpg`` or ``%05d.png`` from 0, as the published decode script names them."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder, self.suffix = folder, suffix
        numbers = [int(path.stem) for path in folder.glob(f'?????{suffix}') if path.stem.isdigit()]
        self._count = max(numbers) + 1 if numbers else 0

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> NDArray:
        """RGB image, or depth in metres from .png."""
        path = self._path(index)
        return read_depth(path) if self.suffix == '.png' else read_color(path)

    def check(self, index: int) -> None:
        """Raises CorruptSampleError when the file of a frame is missing or empty, without decoding it."""
        path = self._path(index)
        if not path.is_file() or not path.stat().st_size:
            raise CorruptSampleError(path, 'empty' if path.is_file() else 'missing')

    def _path(self, index: int) -> Path:
        return self.folder / f'{index:05d}{self.suffix}'


class VideoFrames:
    """Frames of a video file; the file stays open between calls, and reading forwards is fast.

    Raises:
        CorruptSampleError: the file is missing, or no video that can be opened.
    """

    def __init__(self, path: Path, is_depth: bool, frame_rate: float) -> None:
        self.path, self.is_depth = path, is_depth
        if not path.is_file():
            raise CorruptSampleError(path, 'missing')
        capture = self._open()
        self.own_rate = float(capture.get(cv2.CAP_PROP_FPS))
        self.own_count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if not 0.5 < self.own_rate < 1000.0 or self.own_count < 1:
            raise CorruptSampleError(path, f'claims {self.own_count} frames at {self.own_rate} frames/s')
        # The published frame numbers count at 15 frames/s whatever the file's own rate.
        self._step = self.own_rate / frame_rate
        self._capture: cv2.VideoCapture | None = None
        self._next = 0
        self._process = os.getpid()
        self._inherited: list[cv2.VideoCapture] = []

    def __len__(self) -> int:
        return max(1, round(self.own_count / self._step))

    def read(self, index: int) -> NDArray:
        """RGB image, or depth in metres from a 16-bit video."""
        wanted = min(round(index * self._step), self.own_count - 1)
        capture = self._at(wanted)
        good, image = capture.read()
        self._next += 1
        if not good or image is None:
            self.close()
            raise CorruptSampleError(self.path, f'frame {wanted} cannot be decoded')
        if self.is_depth:
            return depth_in_metres(image, self.path)
        return np.ascontiguousarray(image[..., ::-1])

    def close(self) -> None:
        """Frees the decoder; the next read opens the file again."""
        self._leave_inherited()
        if self._capture is not None:
            self._capture.release()
        self._capture, self._next = None, 0

    def _leave_inherited(self) -> None:
        """A decoder opened before a fork has lost its threads: using or freeing it would wait for them for ever."""
        if self._process != os.getpid() and self._capture is not None:
            self._inherited.append(self._capture)
            self._capture, self._next = None, 0
        self._process = os.getpid()

    def _at(self, wanted: int) -> cv2.VideoCapture:
        self._leave_inherited()
        if self._capture is None:
            self._capture = self._open()
        capture = self._capture
        if not self._next <= wanted <= self._next + _LONGEST_WALK:
            capture.set(cv2.CAP_PROP_POS_FRAMES, wanted)
            self._next = wanted
        while self._next < wanted and capture.grab():
            self._next += 1
        return capture

    def _open(self) -> cv2.VideoCapture:
        backend = cv2.CAP_FFMPEG if self.is_depth else cv2.CAP_ANY  # only FFmpeg delivers 16-bit frames
        capture = cv2.VideoCapture(str(self.path), backend)
        if not capture.isOpened():
            raise CorruptSampleError(self.path, 'cannot be opened as a video')
        if self.is_depth:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return capture


def open_frames(folder: Path, video: str, suffix: str, frame_rate: float) -> DecodedFrames | VideoFrames:
    """The decoded images of a folder when there are some, else its video; ``.png`` means depth."""
    decoded = DecodedFrames(folder, suffix)
    return decoded if len(decoded) else VideoFrames(folder / video, suffix == '.png', frame_rate)
