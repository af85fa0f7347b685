"""What every reader of this room delivers: annotated frames in sequences, and a record of what could not be used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide


class DataSetError(ValueError):
    """A folder is not the data set it is taken for, or a part is missing without which nothing can be read."""


class CorruptSampleError(ValueError):
    """One file of a data set cannot be used; the rest can."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f'{path}: {reason}')
        self.path = path
        self.reason = reason


@dataclass(frozen=True, eq=False)
class AnnotatedHand:
    """One annotated hand, in the camera's optical frame, with the parameters as this project's networks predict them.

    ``keypoints_camera`` are the data set's own (its fingertips are other vertices than the network's), so scores on
    the data set use them; training takes ``vertices_camera`` and ``joints_camera``.
    """

    side: HandSide
    rotations: NDArray[np.float64]  # (16, 3, 3) right-looking: mirrored for left hands; absolute, MANO order
    betas: NDArray[np.float64]  # (10,) of the right hand's model
    wrist_camera: NDArray[np.float64]  # (3,) m, not mirrored
    joints_camera: NDArray[np.float64]  # (16, 3) m, MANO order, of the posed model
    vertices_camera: NDArray[np.float64]  # (778, 3) m, of the posed model
    keypoints_camera: NDArray[np.float64]  # (21, 3) m, OpenPose order
    keypoints_image: NDArray[np.float64]  # (21, 2) px


@dataclass(frozen=True, eq=False)
class AnnotatedFrame:
    """A picture and what the data set knows about it."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    depth: NDArray[np.float32] | None  # (H, W) m along the optical axis, 0 = unknown; None when not asked for
    intrinsics: Intrinsics
    T_world_camera: NDArray[np.float64] | None  # (4, 4) optical frame to the sequence's world; None when unknown
    hands: tuple[AnnotatedHand, ...]  # empty where the label is missing


class AnnotatedSequence(Protocol):
    """Frames of one camera in time order, read from disk when asked for."""

    @property
    def name(self) -> str:
        """Unique within the data set."""

    @property
    def frame_rate(self) -> float:
        """Frames per second."""

    @property
    def has_camera_path(self) -> bool:
        """Whether ``T_world_camera`` is known."""

    def __len__(self) -> int:
        """Number of frames."""

    def hands(self, index: int) -> tuple[AnnotatedHand, ...]:
        """The labels of a frame, without reading its image; empty where they are missing.

        Raises:
            CorruptSampleError: a file of the frame is missing, damaged or holds impossible values.
        """

    def frame(self, index: int, with_depth: bool = True) -> AnnotatedFrame:
        """Everything about a frame.

        Raises:
            CorruptSampleError: a file of the frame is missing, damaged or holds impossible values.
        """


class SkipLog:
    """Counts what training had to leave out, so that it can be listed at the end."""

    def __init__(self) -> None:
        self.corrupt: dict[str, str] = {}  # path -> reason, once per file
        self.counts: Counter[str] = Counter()  # reason -> samples drawn in vain

    def add_corrupt(self, error: CorruptSampleError) -> None:
        """A file that cannot be used."""
        self.corrupt[str(error.path)] = error.reason
        self.counts['corrupt or missing file'] += 1

    def add(self, reason: str) -> None:
        """A sample that is sound but not usable."""
        self.counts[reason] += 1

    def summary(self, most_files: int = 50) -> str:
        """Several lines: counts by reason, then the files; empty when nothing was skipped."""
        lines = [f'skipped {count} drawn samples: {reason}' for reason, count in self.counts.most_common()]
        files = sorted(self.corrupt.items())
        lines += [f'  {path}: {reason}' for path, reason in files[:most_files]]
        if len(files) > most_files:
            lines.append(f'  and {len(files) - most_files} files more')
        return '\n'.join(lines)
