"""Runs the online pipeline over a sequence and keeps every prediction beside its truth.

Several pipelines (other weights, other settings, ablations) see the same frames side by side, so that each frame is
drawn or read once. Every sequence is measured by itself, in whatever process and order, and ``merged`` with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.evaluation.truth import EvaluatedFrame, EvaluatedHand, EvaluatedSequence
from hand3r_ros.geometry import Intrinsics, invert_transform
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, FrameResult, HandDetection, HandResult

SMALLEST_VISIBLE = 0.25
"""Hands hidden more than this say nothing about the hand stream."""
ANY_PIXEL = 1e-9
DEPTH_STRIDE = 7
"""Every seventh pixel of the network's image counts for depth: neighbours say the same."""


@dataclass(frozen=True, eq=False)
class HandSample:
    """One predicted hand and its truth, metres, camera's optical frame."""

    predicted: NDArray[np.floating]  # (21, 3)
    truth: NDArray[np.floating]  # (21, 3)
    hand: EvaluatedHand
    intrinsics: Intrinsics
    seconds: float  # since the first frame of its sequence


@dataclass(frozen=True, eq=False)
class WorldTrack:
    """One hand over a sequence, in the optical frame of the sequence's first camera, where it was visible."""

    frame_rate: float
    frames: NDArray[np.integer]  # (T,) ascending, with gaps where the hand was not visible or not predicted
    predicted: NDArray[np.floating]  # (T, 21, 3) m
    truth: NDArray[np.floating]  # (T, 21, 3) m
    hands: NDArray[np.integer] = field(default_factory=lambda: np.zeros(0, int))  # (T,) places in ``Samples.hands``


@dataclass
class Samples:
    """Everything measured of one pipeline."""

    hands: list[HandSample] = field(default_factory=list)
    tracks: list[WorldTrack] = field(default_factory=list)
    cameras: list[tuple[NDArray, NDArray]] = field(default_factory=list)  # predicted, true (T, 4, 4) of a sequence
    depth_sums: NDArray = field(default_factory=lambda: np.zeros(3))  # of relative errors, of pixels within, of pixels
    true_depth: list[NDArray] = field(default_factory=list)  # known depths of a frame, m, where they are kept
    missed: int = 0
    false: int = 0

    @property
    def predicted(self) -> NDArray:
        """(N, 21, 3) predicted keypoints."""
        return np.stack([sample.predicted for sample in self.hands])

    @property
    def truth(self) -> NDArray:
        """(N, 21, 3) true keypoints."""
        return np.stack([sample.truth for sample in self.hands])

    def add(self, other: Samples) -> None:
        """Appends what was measured on other sequences."""
        first = len(self.hands)
        self.hands += other.hands
        self.tracks += [replace(track, hands=track.hands + first) for track in other.tracks]
        self.cameras += other.cameras
        self.depth_sums = self.depth_sums + other.depth_sums
        self.true_depth += other.true_depth
        self.missed += other.missed
        self.false += other.false


def merged(parts: Iterable[Mapping[str, Samples]]) -> dict[str, Samples]:
    """What was measured of every pipeline on all sequences, in their order; some may have seen only some of them."""
    total: dict[str, Samples] = {}
    for part in parts:
        for name, samples in part.items():
            total.setdefault(name, Samples()).add(samples)
    return total


@dataclass(frozen=True)
class Pipeline:
    """One way to reconstruct, with the share of a hand that has to be seen for its box to be given."""

    reconstructor: OnlineReconstructor
    image_long_side: int
    patch_size: int
    smallest_visible: float = SMALLEST_VISIBLE
    keeps_true_depth: bool = False
    """The truth is the same for all pipelines: one that keeps it is enough."""


def unchanged(hand: HandResult) -> HandResult:
    """The hand as it was predicted."""
    return hand


def measure_sequence(
    pipelines: Mapping[str, Pipeline],
    sequence: EvaluatedSequence,
    adapt: Callable[[HandResult], HandResult] = unchanged,
    watch: Callable[[EvaluatedFrame], None] | None = None,
) -> dict[str, Samples]:
    """Shows a sequence, from its first frame on, to every pipeline.

    Args:
        pipelines: by the name that the result has too.
        sequence: gone through once.
        adapt: turns predicted hands into what the truth means by a hand (data sets have other fingertips).
        watch: is shown every frame as well.

    """
    recorders = {name: _Recorder(Samples(), sequence.frame_rate) for name in pipelines}
    for pipeline in pipelines.values():
        pipeline.reconstructor.reset('next test sequence')
    for frame in sequence.frames:
        for name, pipeline in pipelines.items():
            _show(frame, pipeline, recorders[name], adapt)
        if watch is not None:
            watch(frame)
    return {name: recorder.finish() for name, recorder in recorders.items()}


def _show(
    frame: EvaluatedFrame, pipeline: Pipeline, recorder: _Recorder, adapt: Callable[[HandResult], HandResult]
) -> None:
    given = [hand for hand in frame.hands if hand.is_visible(pipeline.smallest_visible)]
    detections = tuple(HandDetection(hand.box, hand.side, 1.0, hand.instance_id) for hand in given)
    stamp = round(frame.index * 1e9 / recorder.frame_rate)
    result = pipeline.reconstructor.process(CameraFrame(frame.image, stamp, frame.intrinsics, detections))
    recorder.add_hands(frame, given, result, [adapt(hand) for hand in result.hands])
    recorder.add_camera(frame, result)
    if frame.depth is not None:
        height, width = frame.image.shape[:2]
        geometry = ImageGeometry.for_image(width, height, pipeline.image_long_side, pipeline.patch_size)
        recorder.add_depth(at_network_pixels(frame.depth, geometry), result, pipeline.keeps_true_depth)


class _Recorder:
    """Collects one sequence."""

    def __init__(self, samples: Samples, frame_rate: float) -> None:
        self.samples, self.frame_rate = samples, frame_rate
        self._tracks: dict[HandSide, list[tuple[int, int, NDArray, NDArray]]] = {side: [] for side in HandSide}
        self._cameras: list[tuple[NDArray, NDArray]] = []

    def add_hands(
        self, frame: EvaluatedFrame, given: list[EvaluatedHand], result: FrameResult, found: list[HandResult]
    ) -> None:
        """Pairs predicted and true hands by side."""
        by_side = {hand.side: hand for hand in found}
        for truth in given:
            hand = by_side.pop(truth.side, None)
            if hand is None:
                self.samples.missed += 1
                continue
            seconds = frame.index / self.frame_rate
            sample = HandSample(hand.keypoints_camera, truth.keypoints_camera, truth, frame.intrinsics, seconds)
            self.samples.hands.append(sample)
            if frame.T_world_camera is not None:
                true_world = _transformed(frame.T_world_camera, truth.keypoints_camera)
                place = len(self.samples.hands) - 1
                self._tracks[truth.side].append((frame.index, place, hand.keypoints_world, true_world))
        self.samples.false += len(by_side)

    def add_camera(self, frame: EvaluatedFrame, result: FrameResult) -> None:
        """Predicted and true camera pose, where the latter is known."""
        if frame.T_world_camera is not None:
            self._cameras.append((result.T_world_camera, frame.T_world_camera))

    def add_depth(self, truth: NDArray, result: FrameResult, keep_truth: bool) -> None:
        """Sums of the depth errors, see ``metrics.depth_errors``."""
        true_depth = truth.reshape(-1)[::DEPTH_STRIDE]
        predicted = result.points_camera[..., 2].reshape(-1)[::DEPTH_STRIDE]
        known = true_depth > 0.0
        self.samples.depth_sums += depth_error_sums(predicted[known], true_depth[known])
        if keep_truth:
            self.samples.true_depth.append(true_depth[known].astype(np.float32))

    def finish(self) -> Samples:
        """Everything, when the sequence is over."""
        if not self._cameras:
            return self.samples
        predicted, truth = (np.stack(poses) for poses in zip(*self._cameras, strict=True))
        self.samples.cameras.append((predicted, truth))
        to_first_predicted, to_first_true = invert_transform(predicted[0]), invert_transform(truth[0])
        for pairs in self._tracks.values():
            if pairs:
                frames, places, predicted_points, true_points = zip(*pairs, strict=True)
                self.samples.tracks.append(
                    WorldTrack(
                        self.frame_rate,
                        np.array(frames),
                        _transformed(to_first_predicted, np.stack(predicted_points)),
                        _transformed(to_first_true, np.stack(true_points)),
                        np.array(places),
                    )
                )
        return self.samples


def depth_error_sums(predicted: NDArray, truth: NDArray) -> NDArray:
    """(3,) what ``Samples.depth_sums`` holds, of predicted and true depths (N,), all of the latter known."""
    predicted, truth = np.maximum(predicted, 1e-6).astype(float), truth.astype(float)
    ratio = np.maximum(predicted / truth, truth / predicted)
    return np.array([(np.abs(predicted - truth) / truth).sum(), (ratio < 1.25).sum(), len(truth)])


def _transformed(transform: NDArray, points: NDArray) -> NDArray:
    return points @ transform[:3, :3].T + transform[:3, 3]


def at_network_pixels(values: NDArray, geometry: ImageGeometry) -> NDArray:
    """(h, w) values of the source image (H, W), each from the pixel nearest to that of the network's image."""
    v, u = np.indices((geometry.height, geometry.width))
    source = np.rint(geometry.to_source(np.stack([u, v], -1))).astype(int)
    columns, rows = np.moveaxis(source.clip(0, (geometry.source_width - 1, geometry.source_height - 1)), -1, 0)
    return values[rows, columns]
