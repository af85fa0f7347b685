"""What every reader of this room delivers: annotated frames in sequences, and a record of what could not be used."""

from __future__ import annotations

import json
import os
import tempfile
import weakref
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
    """Counts what training had to leave out, so that it can be listed at the end.

    Processes forked from the one that made it (the workers of a data loader) write their entries into a shared file
    without a name, so the maker knows of all of them.
    """

    def __init__(self) -> None:
        self._corrupt: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._maker = os.getpid()
        self._shared = _nameless_file()  # lines of JSON: reason, and path of a corrupt file
        self._read = 0  # bytes of it
        weakref.finalize(self, os.close, self._shared)

    def __getstate__(self) -> tuple[dict[str, str], Counter[str]]:
        return self.corrupt, self.counts

    def __setstate__(self, state: tuple[dict[str, str], Counter[str]]) -> None:
        self.__init__()  # type: ignore[misc]
        self._corrupt, self._counts = state

    @property
    def corrupt(self) -> dict[str, str]:
        """Path -> reason, once per file."""
        self._collect()
        return self._corrupt

    @property
    def counts(self) -> Counter[str]:
        """Reason -> samples drawn in vain."""
        self._collect()
        return self._counts

    def add_corrupt(self, error: CorruptSampleError) -> None:
        """A file that cannot be used."""
        self._add(error.reason, str(error.path))

    def add(self, reason: str) -> None:
        """A sample that is sound but not usable."""
        self._add(reason)

    def _add(self, reason: str, path: str | None = None) -> None:
        if os.getpid() == self._maker:
            self._note(reason, path)
        else:
            os.write(self._shared, json.dumps([reason, path]).encode() + b'\n')  # appends: lines never mix

    def _note(self, reason: str, path: str | None) -> None:
        if path is None:
            self._counts[reason] += 1
        else:
            self._corrupt[path] = reason
            self._counts['corrupt or missing file'] += 1

    def _collect(self) -> None:
        """Takes over what other processes have written since the last time."""
        if os.getpid() != self._maker:
            return
        written = os.pread(self._shared, os.fstat(self._shared).st_size - self._read, self._read)
        whole = written[: written.rfind(b'\n') + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            self._note(*json.loads(line))

    def summary(self, most_files: int = 50) -> str:
        """Several lines: counts by reason, then the files; empty when nothing was skipped."""
        lines = [f'skipped {count} drawn samples: {reason}' for reason, count in self.counts.most_common()]
        files = sorted(self.corrupt.items())
        lines += [f'  {path}: {reason}' for path, reason in files[:most_files]]
        if len(files) > most_files:
            lines.append(f'  and {len(files) - most_files} files more')
        return '\n'.join(lines)


def _nameless_file() -> int:
    """A descriptor whose file exists as long as it is open, and to whose end every process writes."""
    with tempfile.NamedTemporaryFile() as file:
        return os.open(file.name, os.O_RDWR | os.O_APPEND)
