"""How the camera pose drifts over long rendered sequences, for every way the recurrent state can be carried on.

Each sequence is drawn once and goes through the online pipeline once for every state update and reset interval, with
all pose sources side by side. Hand boxes are the true ones, intrinsics are known, no map is built.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_lab.evaluation import metrics
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.checkpoints.locations import find_weights_folder
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.network.scene.config import STATE_UPDATES
from hand3r_ros.online.camera_pose import PoseEstimate, PoseMemory, PoseObservation, PoseSource, make_pose_source
from hand3r_ros.online.config import DetectionConfig, MapConfig, ReconstructorConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.frame_pipeline import FramePipeline
from hand3r_ros.online.inference import NetworkRunner
from hand3r_ros.online.results import CameraFrame, HandDetection
from hand3r_ros.online.session import Session
from hand3r_ros.online.session_parts import SessionParts

FRAMES_PER_SECOND = 10
RESET_INTERVALS = (0, 50, 100)
POSE_SOURCES = ('network', 'geometric')
SMALLEST_VISIBLE = 0.25
STATIC = 'static camera'
COLUMNS = ('ATE cm', 'ATE with scale cm', 'RPE 1 s cm', 'RPE 1 s deg', 'end cm', 'end deg')


@dataclass(frozen=True)
class Mode:
    """One way to carry the recurrent state on over a long stream."""

    state_update: str
    reset_interval: int

    def __str__(self) -> str:
        chunks = f'reset every {self.reset_interval}' if self.reset_interval else 'never reset'
        return f'{self.state_update}, {chunks}'


MODES = tuple(Mode(*choice) for choice in itertools.product(STATE_UPDATES, RESET_INTERVALS))


class SideBySide:
    """Several pose sources that see the same frames; the first one counts for the session.

    What the network answers does not depend on the pose source, so one run is enough for all of them.
    """

    def __init__(self, sources: Mapping[str, PoseSource]) -> None:
        self.sources = dict(sources)
        self.paths: dict[str, list[NDArray[np.floating]]] = {name: [] for name in sources}

    def update(self, observation: PoseObservation) -> PoseEstimate:
        """The first source's pose; all are kept in ``paths``."""
        estimates = {name: source.update(observation) for name, source in self.sources.items()}
        for name, estimate in estimates.items():
            self.paths[name].append(estimate.T_world_camera)
        return next(iter(estimates.values()))

    def move_network_world(self, T_network_camera: NDArray, T_world_camera: NDArray) -> None:
        """Every source has the last camera where it put it itself."""
        for name, source in self.sources.items():
            source.move_network_world(T_network_camera, self.paths[name][-1])

    def reset(self) -> None:
        """Clears everything from earlier frames."""
        for name, source in self.sources.items():
            source.reset()
            self.paths[name].clear()

    def memory(self) -> PoseMemory:
        """Of the first source."""
        return next(iter(self.sources.values())).memory()

    def restore(self, memory: PoseMemory) -> None:
        """To the first source."""
        next(iter(self.sources.values())).restore(memory)


@dataclass(frozen=True)
class LongSequence:
    """Frames as the camera gives them, and where it really was."""

    frames: tuple[CameraFrame, ...]
    T_world_camera: NDArray[np.float64]  # (T, 4, 4)


def evaluate_drift(preset: str, weights_dir: Path | None, sequences: int, frames: int, out: Path | None = None) -> str:
    """Runs every mode on the first ``sequences`` test sequences and returns a table; ``out`` gets it as JSON too."""
    network, _ = load_network(find_weights_folder(preset, weights_dir), preset)
    runner = NetworkRunner(network)
    pipeline = FramePipeline(runner, HandLayer(load_open_hand()))
    names = [row_name(source, mode) for source in POSE_SOURCES for mode in MODES]
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in (*names, STATIC)}
    for index in range(sequences):
        sequence = draw_sequence(sequence_seed('test', index), frames)
        for mode in MODES:
            paths = camera_paths(runner, pipeline, sequence.frames, mode)
            for source, path in paths.items():
                rows[row_name(source, mode)].append(drift_numbers(path, sequence.T_world_camera))
        still = np.tile(sequence.T_world_camera[0], (frames, 1, 1))
        rows[STATIC].append(drift_numbers(still, sequence.T_world_camera))
    means = {
        name: {column: float(np.mean([numbers[column] for numbers in row])) for column in COLUMNS}
        for name, row in rows.items()
    }
    if out is not None:
        out.write_text(json.dumps(means, indent=1))
    return format_drift(means, sequences, frames)


def row_name(pose_source: str, mode: Mode) -> str:
    """How the table calls a mode with a pose source."""
    return f'pose {pose_source}, {mode}'


def draw_sequence(seed: int, frames: int) -> LongSequence:
    """Draws a whole sequence at a resolution that costs little and is more than the tiny network sees."""
    sequence = Sequence(seed, SceneConfig(width=320, height=240, frames=frames, fps=FRAMES_PER_SECOND, hands='both'))
    camera_frames = []
    for index in tqdm(range(frames), desc='drawing', mininterval=2.0):
        drawn = sequence.frame(index)
        boxes = tuple(
            HandDetection(hand.box, hand.side, 1.0, hand.instance_id)
            for hand in drawn.hands
            if hand.visible_fraction >= SMALLEST_VISIBLE
        )
        stamp_ns = index * 1_000_000_000 // FRAMES_PER_SECOND
        camera_frames.append(CameraFrame(drawn.image, stamp_ns, drawn.intrinsics, boxes))
    return LongSequence(tuple(camera_frames), np.asarray(sequence.T_world_camera, float))


def camera_paths(
    runner: NetworkRunner, pipeline: FramePipeline, frames: Collection[CameraFrame], mode: Mode
) -> dict[str, NDArray[np.float64]]:
    """``T_world_camera`` (T, 4, 4) of every frame of a sequence by pose source, in a new session of this mode."""
    config = ReconstructorConfig(
        state_update=mode.state_update,
        reset_interval=mode.reset_interval,
        map=MapConfig(enabled=False),
        detection=DetectionConfig(detector='topic'),
    )
    parts = SessionParts.make(config, make_detector(config), POSE_SOURCES[0])
    poses = SideBySide({source: make_pose_source(config, source) for source in POSE_SOURCES})
    parts.pose_source = poses
    session = Session(1, 'evaluation', runner.init_state())
    for frame in tqdm(frames, desc=str(mode), mininterval=5.0):
        session, _ = pipeline.run(frame, session, parts, config)
    return {source: np.stack(path) for source, path in poses.paths.items()}


def drift_numbers(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> dict[str, float]:
    """Every column of the table for one path; both (T, 4, 4).

    ATE is after the best rigid motion (or similarity) over the whole path; RPE compares motions over one second; 'end'
    is the error of the last pose when the first one is laid on the truth.
    """
    delta = min(FRAMES_PER_SECOND, len(truth) - 1)
    step, turn = metrics.relative_pose_errors(predicted, truth, delta)
    end_step, end_turn = metrics.relative_pose_errors(predicted, truth, len(truth) - 1)
    return {
        'ATE cm': 1e2 * metrics.trajectory_errors(predicted, truth)[0],
        'ATE with scale cm': 1e2 * metrics.trajectory_errors(predicted, truth, with_scale=True)[0],
        'RPE 1 s cm': 1e2 * float(np.sqrt((step**2).mean())),
        'RPE 1 s deg': float(np.rad2deg(turn.mean())),
        'end cm': 1e2 * float(end_step[-1]),
        'end deg': float(np.rad2deg(end_turn[-1])),
    }


def format_drift(means: dict[str, dict[str, float]], sequences: int, frames: int) -> str:
    """Markdown table, one row per mode."""
    lines = [
        f'Rendered test set: {sequences} sequences of {frames} frames at {FRAMES_PER_SECOND} per second.',
        '',
        '| | ' + ' | '.join(COLUMNS) + ' |',
        '|---|' + '---|' * len(COLUMNS),
    ]
    for name, row in means.items():
        lines.append(f'| {name} | ' + ' | '.join(f'{row[column]:.1f}' for column in COLUMNS) + ' |')
    return '\n'.join(lines)
