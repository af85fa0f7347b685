"""What an evaluation compares with: frames with known hands, depth and cameras, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes.sequence import HandTruth, SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide

FRAMES_PER_SECOND = 10.0
"""Of rendered test sequences."""


@dataclass(frozen=True, eq=False)
class EvaluatedHand:
    """One true hand of one frame, in the camera's optical frame."""

    side: HandSide
    keypoints_camera: NDArray[np.floating]  # (21, 3) m, OpenPose order
    box: NDArray[np.floating]  # (4,) x1, y1, x2, y2 px, clipped to the image
    visible_fraction: float  # visible pixels over those of the whole hand; NaN where unknown
    rotations: NDArray[np.floating]  # (16, 3, 3) right-looking: mirrored for left hands
    betas: NDArray[np.floating]  # (10,)
    instance_id: int = -1

    def is_visible(self, smallest_fraction: float) -> bool:
        """Whether at least this share of it is seen; a hand of which that is unknown counts as seen."""
        return not self.visible_fraction < smallest_fraction


@dataclass(frozen=True, eq=False)
class EvaluatedFrame:
    """A picture and everything known about it."""

    index: int  # in its sequence; frames that cannot be read leave gaps
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    depth: NDArray[np.floating] | None  # (H, W) m along the optical axis, 0 = unknown
    intrinsics: Intrinsics
    T_world_camera: NDArray[np.floating] | None  # (4, 4); None when unknown
    hands: tuple[EvaluatedHand, ...]


@dataclass(frozen=True)
class EvaluatedSequence:
    """Frames of one camera in time order; they can be gone through once."""

    name: str
    frame_rate: float
    frames: Iterable[EvaluatedFrame]


def rendered_sequences(count: int, frames: int, width: int = 640, height: int = 480) -> Iterator[EvaluatedSequence]:
    """The first ``count`` sequences of the test split, drawn when their frames are asked for."""
    for index in range(count):
        yield rendered_sequence(index, frames, width, height)


def rendered_sequence(index: int, frames: int, width: int = 640, height: int = 480) -> EvaluatedSequence:
    """Sequence ``index`` of the test split."""
    scene = SceneConfig(width=width, height=height, frames=frames, fps=FRAMES_PER_SECOND)
    sequence = Sequence(sequence_seed('test', index), scene)
    return EvaluatedSequence(f'rendered test sequence {index}', FRAMES_PER_SECOND, _rendered_frames(sequence))


def _rendered_frames(sequence: Sequence) -> Iterator[EvaluatedFrame]:
    for index in range(len(sequence)):
        frame = sequence.frame(index)
        hands = tuple(rendered_hand(hand) for hand in frame.hands)
        yield EvaluatedFrame(index, frame.image, frame.depth, frame.intrinsics, frame.T_world_camera, hands)


def rendered_hand(hand: HandTruth) -> EvaluatedHand:
    """The truth of a rendered hand."""
    return EvaluatedHand(
        side=hand.side,
        keypoints_camera=hand.keypoints_camera,
        box=hand.box,
        visible_fraction=hand.visible_fraction,
        rotations=hand.rotations if hand.side == HandSide.RIGHT else mirror_rotations(hand.rotations),
        betas=hand.betas,
        instance_id=hand.instance_id,
    )
