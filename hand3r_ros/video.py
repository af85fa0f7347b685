"""Reads videos with OpenCV: upright, with their own stamps, past damaged parts, counting missing images."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.media import MediaError, shown_name
from hand3r_ros.video_container import VideoFacts, video_facts

FALLBACK_RATE = 30.0
"""Hz, of videos that do not say theirs."""

NANOSECONDS = 1_000_000_000
_MOST_FAILURES = 300
"""Attempts in a row that bring no image after which a video of unknown length is over."""
_SPARE_FAILURES = 50
"""The same, beyond the images that are missing, where the length is known."""
_INDEX_SLACK = {'MP4': 0, 'AVI': 3, 'Matroska': 3}
"""Images that decoders may keep for themselves although the index counts them."""


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One image of a video, not decoded yet."""

    index: int  # in the video; lost images count
    time_ns: int  # presentation time; increases, and mostly begins at 0
    pixels: Callable[[], NDArray[np.uint8] | None]
    """(H, W, 3) BGR, upright; None: it is lost. Only valid until the next frame is asked for."""


class Video:
    """A video file in which at least one image can be read."""

    def __init__(self, path: Path) -> None:
        """Opens it for a look.

        Raises:
            MediaError: it cannot be read, or holds no image that can be decoded; says what it is and what to do.

        """
        self.path = path
        self._facts = _facts(path)
        if shown_name(path.absolute()) != str(path.absolute()):
            raise MediaError(f'{shown_name(path)}: OpenCV cannot open files whose names are not UTF-8 text: rename it')
        capture = self._opened()
        try:
            rate = float(capture.get(cv2.CAP_PROP_FPS))
            count = int(min(max(capture.get(cv2.CAP_PROP_FRAME_COUNT), 0.0), 2.0**31))
            readable = any(capture.grab() and capture.retrieve()[0] for _ in range(min(count or 1, _MOST_FAILURES)))
        finally:
            capture.release()
        if not readable:
            raise MediaError(f'{path} has no image that can be decoded: {_remedy(path, self._facts)}')
        self.rate = rate if 0.5 < rate < 1000.0 else FALLBACK_RATE
        """Hz."""
        self.count: int | None = (self._facts.frames if self._facts.kind == 'MP4' else None) or count or None
        """Number of images as the container says, exact for MP4 alone; None when it does not say."""
        self.is_turned = bool(self._facts.turn)
        """Whether the file asks players to turn its images; sizes are those of the turned ones."""

    def read(self) -> VideoReading:
        """From the first image on."""
        return VideoReading(self._opened(), self._facts, self.rate, self.count)

    def _opened(self) -> cv2.VideoCapture:
        # FFmpeg takes what stands before a colon for a protocol, unless the name begins with a slash.
        capture = cv2.VideoCapture(os.path.abspath(self.path))  # noqa: PTH100  links stay: OpenCV goes by the suffix
        if not capture.isOpened() or capture.getBackendName() == 'CV_IMAGES':
            capture.release()
            raise MediaError(f'{self.path} cannot be opened as a video: {_remedy(self.path, self._facts)}')
        # By default some versions of OpenCV turn images as the file asks, others do not, 4.6 to the wrong side.
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0 if self._facts.turn is not None else 1)
        return capture


class VideoReading:
    """One pass through a video: an iterator of frames that is closed at its end, or by ``close``."""

    def __init__(self, capture: cv2.VideoCapture, facts: VideoFacts, rate: float, estimate: int | None) -> None:
        self._capture, self._facts, self._estimate = capture, facts, estimate
        self._step_ns = round(NANOSECONDS / rate)
        self._given = self._lost = 0
        self._ended = False

    def __iter__(self) -> Iterator[VideoFrame]:
        """Every image; those that a damaged spot swallowed come as lost ones."""
        failures, last_ns = 0, -1
        try:
            while failures <= self._patience():
                if not self._capture.grab():
                    failures += 1  # OpenCV gives up at a damaged packet, and goes on with the next one when asked again
                    continue
                time_ns = self._time_ns(last_ns, failures)
                for number in range(failures):
                    between = last_ns + (time_ns - last_ns) * (number + 1) // (failures + 1)
                    self._lost += 1
                    yield VideoFrame(self._given + self._lost - 1, max(between, 0), _lost)
                failures, last_ns = 0, time_ns
                self._given += 1
                yield VideoFrame(self._given + self._lost - 1, time_ns, self._pixels)
            self._ended = True
        finally:
            self.close()

    @property
    def missing(self) -> int:
        """Images that are missing up to where it was read; after the last one compared with the container's number."""
        expected = self._facts.frames
        if expected is None and self._facts.damage:
            expected = self._estimate
        if not self._ended or expected is None:
            return self._lost
        absent = expected - self._given
        return max(self._lost, absent if absent > _INDEX_SLACK[self._facts.kind] else 0)

    def faults(self) -> tuple[str, ...]:
        """What is wrong with the file, as far as it was read: one line each, for users."""
        found = []
        if self._ended and self._facts.damage:
            found.append(f'it is not whole: {self._facts.damage}')
        if self.missing:
            total = self._given + self.missing
            found.append(f'{self.missing} of {total} images are missing or cannot be decoded')
        return tuple(found)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _patience(self) -> int:
        expected = self._facts.frames
        return _MOST_FAILURES if expected is None else max(expected - self._given - self._lost, 0) + _SPARE_FAILURES

    def _time_ns(self, last_ns: int, failures: int) -> int:
        shown = round(float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) * 1e6)
        # Some containers give no times, or repeat them.
        if shown > last_ns and (shown > 0 or last_ns < 0):
            return shown
        return self._step_ns * failures if last_ns < 0 else last_ns + self._step_ns * (failures + 1)

    def _pixels(self) -> NDArray[np.uint8] | None:
        decoded, pixels = self._capture.retrieve()
        if not decoded or pixels is None:
            return None
        turn = self._facts.turn
        return np.asarray(turn.applied(pixels) if turn else pixels, np.uint8)


def _lost() -> None:
    return None


def _facts(path: Path) -> VideoFacts:
    try:
        return video_facts(path)
    except OSError as error:
        raise MediaError(f'{path} cannot be read: {error.strerror or error}') from error


def _remedy(path: Path, facts: VideoFacts) -> str:
    if facts.damage:
        return f'{facts.damage}; copy it again, or repair it (untrunc for MP4, "ffmpeg -i IN -c copy OUT" for others)'
    encoded = path.with_name(f'{path.stem}_h264.mp4')
    again = f'ffmpeg -i {_quoted(path)} -c:v libx264 -pix_fmt yuv420p {_quoted(encoded)}'
    if facts.codec:
        return f'this OpenCV ({cv2.__version__}) cannot decode its {facts.codec_name} video; re-encode it: {again}'
    if facts.kind:
        return 'no video track is found in it'
    return f'OpenCV finds no video in it; give MP4, MOV, AVI, MKV or WebM. If a player shows it: {again}'


def _quoted(path: Path) -> str:
    text = str(path)
    return shlex.quote(text if '/' in text or not set(':-') & set(text) else f'./{text}')
