"""Input of a run: images in order, and what else is known about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.node.depth_alignment import PublishedDepth
from hand3r_ros.node.lens import Calibration
from hand3r_ros.offline.recorded_detections import RecordedDetections
from hand3r_ros.offline.transforms import TransformHistory

RgbImage = NDArray[np.uint8]


class DecodeImage(Protocol):
    """Decodes one image of the input."""

    def __call__(self, decoder: ImageDecoder | None = None) -> RgbImage:
        """(H, W, 3) RGB, with the decoder of all images of the run, or for itself; raises UnusableImageError."""
        ...


@dataclass(frozen=True, eq=False)
class InputImage:
    """One image of the input, not decoded yet."""

    name: str  # for reports: a file name, or the number in the video or on the topic
    stamp_ns: int  # when it was taken, 0 when nobody said
    log_ns: int  # when it was recorded; results are stored under this time
    frame_id: str  # the camera's optical frame
    decode: DecodeImage
    """Only valid until the next image is asked for."""
    depth: Callable[[], PublishedDepth] | None = None
    """Reads the depth that was measured with it; raises UnusableImageError. None: there is none."""


@dataclass(frozen=True)
class Calibrations:
    """The camera over time: entry i holds from the log time ``since[i]`` on; the first also before."""

    since: tuple[int, ...] = ()
    cameras: tuple[Calibration | None, ...] = ()  # None: the recording says that it is uncalibrated

    def at(self, log_ns: int) -> Calibration | None:
        """The camera at a time, None when it is not known."""
        if not self.since:
            return None
        return self.cameras[max(0, int(np.searchsorted(self.since, log_ns, side='right')) - 1)]


@dataclass(frozen=True, eq=False)
class Companions:
    """What came beside the images."""

    calibrations: Calibrations = field(default_factory=Calibrations)
    detections: RecordedDetections | None = None  # None: there is no such topic
    transforms: TransformHistory | None = None
    notes: tuple[str, ...] = ()  # what a user should know about the input
    depth_camera: Calibration | None = None  # of depth that may have to be registered


class Input(Protocol):
    """A video, image files or a recording."""

    @property
    def description(self) -> str:
        """What is read, for the log."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """JSON values by which the same input is known again when a run continues."""
        ...

    @property
    def length(self) -> int | None:
        """How many images there are, None when that is not known."""
        ...

    def images(self) -> Iterator[InputImage]:
        """All images from the first on."""
        ...

    def companions(self) -> Companions:
        """Reads everything beside the images."""
        ...

    def faults(self) -> tuple[str, ...]:
        """What is wrong with the input as a whole, as far as its images were read: one line each."""
        ...


@dataclass(frozen=True)
class Selection:
    """Which part of the input is used."""

    start: float = 0.0  # seconds after the first image
    end: float | None = None  # seconds after the first image; None: to the end
    stride: int = 1  # every n-th image

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f'--stride must be at least 1, got {self.stride}')
        if self.start < 0.0:
            raise ValueError(f'--start must not be negative, got {self.start:g}')
        if self.end is not None and self.end <= self.start:
            raise ValueError(f'--end ({self.end:g} s) must be after --start ({self.start:g} s)')

    def of(self, images: Iterator[InputImage]) -> Iterator[InputImage]:
        """The images that are used, in order."""
        start_ns = round(self.start * 1e9)
        end_ns = None if self.end is None else round(self.end * 1e9)
        first_ns: int | None = None
        within = 0
        for image in images:
            first_ns = image.log_ns if first_ns is None else first_ns
            since_first = image.log_ns - first_ns
            if end_ns is not None and since_first > end_ns:
                return
            if since_first >= start_ns:
                if within % self.stride == 0:
                    yield image
                within += 1

    def expected(self, length: int | None) -> int | None:
        """How many images that will be, None when it is not known."""
        if length is None or self.start > 0.0 or self.end is not None:
            return None
        return -(-length // self.stride)
