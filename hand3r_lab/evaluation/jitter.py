"""Jitter and delay of hands, with smoothing off and on: what a robot that follows a hand feels.

Both are measured on wrist and fingertips, in the world. On rendered sequences the truth is known; boxes are given and
the hand network poses the hands. On a real clip hands are found and fitted as on the robot and the truth is not known:
the reference is then the unsmoothed track itself, smoothed by a centred local cubic, which has no delay; so the delay
of a row says how far it is behind the unsmoothed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from tqdm import tqdm

from hand3r_lab.cpu_threads import opencv_threads, torch_threads
from hand3r_lab.evaluation.numbers import Numbers
from hand3r_lab.evaluation.samples import SMALLEST_VISIBLE
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.geometry import Intrinsics, transform_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import DetectionConfig, MapConfig, ReconstructorConfig, SmoothingConfig
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, FrameResult, HandDetection
from hand3r_ros.video import Video

FloatArray = NDArray[np.floating]

FRAMES_PER_SECOND = 30.0
"""Of rendered sequences: what webcams give."""
WRIST, FINGERTIPS = (0,), (4, 8, 12, 16, 20)
MEASURED = (*WRIST, *FINGERTIPS)

LONGEST_DELAY = 0.25
"""Seconds that are looked at, before and after."""
SHORTEST_RUN = 15
"""Images in a row with a hand that say anything about its delay."""
REFERENCE_SECONDS = 0.3
"""Of the window of the local cubic."""
LARGEST_ERROR = 0.15
"""Metres of the wrist from the truth beyond which it is another hand."""

OFF, ON = 'smoothing off', 'smoothing on'
SETTINGS = {OFF: SmoothingConfig(), ON: SmoothingConfig(enabled=True, min_cutoff=1.5, beta=10.0)}
"""On: as config/teleop.yaml has it."""
ACCELERATION, DELAY, IMAGES = 'acceleration error m/s2', 'delay ms', 'hands'


@dataclass(frozen=True, eq=False)
class Run:
    """One hand in images that follow one another: wrist and fingertips in the world."""

    rate: float  # images per second
    predicted: FloatArray  # (T, 6, 3) m
    truth: FloatArray  # (T, 6, 3) m
    first: tuple[int, int] = (0, 0)  # hand and image with which it begins


@dataclass
class Recording:
    """What one setting has shown of one hand, image by image; a gap begins a new run."""

    rate: float
    _runs: dict[tuple[int, HandSide], list[list[tuple[int, FloatArray, FloatArray]]]] = field(default_factory=dict)

    def add(self, key: tuple[int, HandSide], index: int, predicted: FloatArray, truth: FloatArray) -> None:
        """One image of a hand; keypoints (21, 3) m in the world."""
        runs = self._runs.setdefault(key, [])
        if not runs or runs[-1][-1][0] != index - 1:
            runs.append([])
        runs[-1].append((index, predicted[list(MEASURED)], truth[list(MEASURED)]))

    def runs(self) -> Iterator[Run]:
        """All runs of three images or more."""
        for (hand, _), runs in self._runs.items():
            for run in runs:
                if len(run) >= 3:
                    indices, predicted, truth = zip(*run, strict=True)
                    yield Run(self.rate, np.stack(predicted), np.stack(truth), (hand, indices[0]))


def rendered_recordings(preset: str, weights_dir: Path | None, sequences: int, frames: int) -> dict[str, list[Run]]:
    """Runs of every setting on the first test sequences, with the true camera pose."""
    pipelines = _pipelines(preset, weights_dir, 'topic')
    found: dict[str, list[Run]] = {name: [] for name in pipelines}
    for number in tqdm(range(sequences), desc='rendered sequences', mininterval=1.0):
        scene = SceneConfig(width=640, height=480, frames=frames, fps=FRAMES_PER_SECOND)
        sequence = Sequence(sequence_seed('test', number), scene)
        recordings = {name: Recording(FRAMES_PER_SECOND) for name in pipelines}
        for pipeline in pipelines.values():
            pipeline.reset('next sequence')
        for index in range(len(sequence)):
            frame = sequence.frame(index)
            stamp = round(index * 1e9 / FRAMES_PER_SECOND)
            given = tuple(
                HandDetection(hand.box, hand.side, 1.0, hand.instance_id)
                for hand in frame.hands
                if hand.visible_fraction >= SMALLEST_VISIBLE
            )
            image = CameraFrame(frame.image, stamp, frame.intrinsics, given, frame.T_world_camera)
            for name, pipeline in pipelines.items():
                result = pipeline.process(image)
                for hand in frame.hands:
                    # Published poses may turn the world round: what is compared has to lie in the result's world.
                    truth = transform_points(result.T_world_camera, hand.keypoints_camera)
                    nearest = _nearest(result, hand.side, truth[0])
                    if nearest is not None:
                        recordings[name].add((hand.instance_id, hand.side), index, nearest, truth)
        for name, recording in recordings.items():
            found[name] += recording.runs()
    return found


def clip_recordings(
    preset: str, weights_dir: Path | None, clip: Path, focal: float | None, frames: int | None = None
) -> dict[str, list[Run]]:
    """Runs of every setting on a clip of a camera that stands still; the truth is the reference described above.

    Args:
        preset: of the network.
        weights_dir: where its weights are.
        clip: a video.
        focal: focal length in pixels of the video; None: 0.9 times its width.
        frames: of the clip at most.

    Raises:
        MediaError: the clip cannot be read.

    """
    video = Video(clip)
    pipelines = _pipelines(preset, weights_dir, 'auto')
    recordings = {name: Recording(video.rate) for name in pipelines}
    reading = video.read()
    try:
        for frame in tqdm(reading, desc=str(clip.name), mininterval=1.0):
            if frames is not None and frame.index >= frames:
                break
            pixels = frame.pixels()
            if pixels is None:
                continue
            image = np.ascontiguousarray(pixels[..., ::-1])
            given = CameraFrame(image, round(frame.index * 1e9 / video.rate), _camera(image, focal))
            for name, pipeline in pipelines.items():
                for hand in pipeline.process(_standing(given)).seen_hands:
                    points = hand.keypoints_world
                    recordings[name].add((hand.track_id, hand.side), frame.index, points, points)
    finally:
        reading.close()
    unsmoothed, smoothed = (
        {run.first: run for run in recordings[name].runs() if len(run.truth) >= SHORTEST_RUN} for name in (OFF, ON)
    )
    references = {first: with_reference(run) for first, run in unsmoothed.items()}
    # Crops follow from published places, so that a run may end elsewhere with smoothing: it is left out then.
    lengths = {first: len(run.truth) for first, run in smoothed.items()}
    same = [first for first, run in references.items() if lengths.get(first) == len(run.truth)]
    return {
        OFF: [references[first] for first in same],
        ON: [Run(r.rate, r.predicted, references[r.first].truth, r.first) for r in map(smoothed.__getitem__, same)],
    }


def with_reference(run: Run) -> Run:
    """The run with what a centred local cubic makes of it as truth."""
    window = max(5, round(REFERENCE_SECONDS * run.rate) // 2 * 2 + 1)
    return replace(run, truth=savgol_filter(run.predicted, min(window, len(run.predicted)), 3, axis=0))


def jitter_numbers(runs: Iterable[Run]) -> Numbers:
    """Acceleration errors and delays of wrist and fingertips, over all runs; what nothing is known of is left out."""
    runs = list(runs)
    numbers: Numbers = {}
    for name, points in (('wrist', slice(0, 1)), ('fingertips', slice(1, None))):
        errors = [acceleration_errors(run, points) for run in runs]
        if errors:
            numbers[f'{name}: {ACCELERATION}'] = float(np.concatenate(errors).mean())
        delay = mean_delay(runs, points)
        if delay is not None:
            numbers[f'{name}: {DELAY}'] = 1e3 * delay
    numbers[IMAGES] = float(sum(len(run.truth) for run in runs))
    return numbers


def acceleration_errors(run: Run, points: slice = slice(None)) -> FloatArray:
    """(T - 2,) m/s^2, mean over the points: difference of the accelerations from three images each."""
    difference = run.predicted[:, points] - run.truth[:, points]
    second = difference[:-2] - 2.0 * difference[1:-1] + difference[2:]
    return np.asarray(np.linalg.norm(second, axis=-1).mean(-1) * run.rate**2)


def mean_delay(runs: Iterable[Run], points: slice = slice(None)) -> float | None:
    """Seconds by which points follow the truth: the one delay that explains all runs best, offsets being free.

    None without a run that is long enough.
    """
    long = [run for run in runs if len(run.truth) >= SHORTEST_RUN]
    if not long:
        return None
    delays = np.arange(-LONGEST_DELAY, LONGEST_DELAY + 1e-9, 1e-3)
    costs = [sum(_cost(run, points, delay) for run in long) for delay in delays]
    return float(delays[int(np.argmin(costs))])


def _cost(run: Run, points: slice, delay: float) -> float:
    """Sum of squares, m^2, over the images for which every delay has a truth."""
    times = np.arange(len(run.truth)) / run.rate
    margin = min(LONGEST_DELAY, times[-1] / 4.0)
    inner = (times >= margin) & (times <= times[-1] - margin)
    asked = np.clip(times[inner] - delay, 0.0, times[-1])
    truth = run.truth[:, points].reshape(len(times), -1)
    delayed = np.stack([np.interp(asked, times, column) for column in truth.T], -1)
    difference = run.predicted[inner][:, points].reshape(len(asked), -1) - delayed
    return float(((difference - difference.mean(0)) ** 2).sum())


def evaluate_jitter(
    preset: str,
    weights_dir: Path | None,
    sequences: int,
    frames: int,
    clip: Path | None = None,
    focal: float | None = None,
) -> dict[str, Numbers]:
    """One row per setting, on rendered sequences and, where one is given, on a clip; computes with one thread."""
    with torch_threads(1), opencv_threads(1):
        rendered = rendered_recordings(preset, weights_dir, sequences, frames)
        rows = {f'rendered, {name}': runs for name, runs in rendered.items()}
        if clip is not None:
            rows |= {f'{clip.name}, {name}': r for name, r in clip_recordings(preset, weights_dir, clip, focal).items()}
    return {name: jitter_numbers(runs) for name, runs in rows.items()}


def format_jitter(rows: dict[str, Numbers]) -> str:
    """Markdown table."""
    columns = [f'{part}: {what}' for what in (ACCELERATION, DELAY) for part in ('wrist', 'fingertips')] + [IMAGES]
    lines = [f'| | {" | ".join(columns)} |', '|---' * (len(columns) + 1) + '|']
    for name, numbers in rows.items():
        cells = [_cell(column, numbers.get(column)) for column in columns]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.1f}' if column.endswith(ACCELERATION) else f'{value:.0f}'


def _pipelines(preset: str, weights_dir: Path | None, detector: str) -> dict[str, OnlineReconstructor]:
    return {
        name: build_reconstructor(
            ReconstructorConfig(
                preset=preset,
                weights_dir=weights_dir,
                device='cpu',
                pose_source='tf',
                detection=DetectionConfig(detector=detector),
                map=MapConfig(enabled=False),
                smoothing=smoothing,
            )
        )
        for name, smoothing in SETTINGS.items()
    }


def _nearest(result: FrameResult, side: HandSide, wrist: FloatArray) -> FloatArray | None:
    """Keypoints (21, 3) in the world of the seen hand of this side at a wrist; None without one near it."""
    found = [hand.keypoints_world for hand in result.seen_hands if hand.side == side]
    near = min(found, key=lambda points: float(np.linalg.norm(points[0] - wrist)), default=None)
    return near if near is not None and np.linalg.norm(near[0] - wrist) < LARGEST_ERROR else None


def _camera(image: NDArray[np.uint8], focal: float | None) -> Intrinsics:
    height, width = image.shape[:2]
    length = focal or 0.9 * width
    return Intrinsics(length, length, (width - 1) / 2.0, (height - 1) / 2.0, width, height)


def _standing(frame: CameraFrame) -> CameraFrame:
    return CameraFrame(frame.image, frame.stamp_ns, frame.intrinsics, T_world_camera=np.eye(4))
