"""Time, memory and operations of one frame of the scene stream, beside the published way of computing it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from hand3r_lab.benchmark.measuring import Seconds, Stopwatch, counting_operations, peak_mebibytes
from hand3r_lab.benchmark.original import NoClock, OriginalStream
from hand3r_lab.benchmark.random_weights import with_random_weights
from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.stream import SceneStream
from hand3r_ros.network.types import Frame, SceneState

STAGES = (
    ('encoder', 'image_encoder', 'forward'),
    ('memory read', 'memory', 'read'),
    ('decoder', 'decoder', 'forward'),
    ('heads', 'heads', 'forward'),
    ('heads', 'pose_head', 'forward'),
    ('memory write', 'memory', 'write'),
)
"""Stage, part of the stream, method."""


@dataclass(frozen=True)
class SceneSpeed:
    """Result of ``measure_scene``."""

    ours: dict[str, Seconds]
    """Seconds per stage of the fastest frame, with self head and pose only."""
    original: dict[str, Seconds] | None
    peak: float
    """MiB of this process after our frames, weights included, before the original was tried."""
    gflop: float
    original_gflop: float | None

    @property
    def share(self) -> Seconds | None:
        """Our time over the original's, in CPU seconds and in wall seconds."""
        if self.original is None:
            return None
        ours, original = total(self.ours), total(self.original)
        return Seconds(ours.cpu / original.cpu, ours.wall / original.wall)


def measure_scene(
    config: SceneConfig, image_size: tuple[int, int], frames: int, with_original: bool = True
) -> SceneSpeed:
    """Runs random weights of ``config`` on the CPU over frames of ``image_size`` = (height, width).

    Frames of the two ways of computing alternate, so that other work on the machine meets both.
    """
    stream = with_random_weights(lambda: SceneStream(config))
    frame = Frame(torch.rand(1, 3, *image_size) * 2.0 - 1.0)
    with torch.inference_mode():
        state = stream.step(stream.init_state(), frame).state  # warm-up; the first frame reads no memory
    ours, originals = [timed_frame(stream, state, frame)], []
    peak = peak_mebibytes()
    original = OriginalStream(stream) if with_original else None
    for index in range(frames):
        if original is not None:
            watch = Stopwatch()
            original.step(state, frame.image, watch)
            originals.append(watch.stages)
        if index > 0:
            ours.append(timed_frame(stream, state, frame))
    return SceneSpeed(
        fastest(ours),
        fastest(originals) if originals else None,
        peak,
        scene_gflop(config, image_size),
        scene_gflop(config, image_size, original=True) if with_original else None,
    )


@torch.inference_mode()
def timed_frame(stream: SceneStream, state: SceneState, frame: Frame) -> dict[str, Seconds]:
    """Seconds per stage of one frame; 'other' is what lies between the stages."""
    watch, whole = Stopwatch(), Stopwatch()
    with whole.stage('frame'), watched(stream, watch):
        stream.step(state, frame)
    rest = Seconds(whole.total.cpu - watch.total.cpu, whole.total.wall - watch.total.wall)
    return {**watch.stages, 'other': rest}


@contextlib.contextmanager
def watched(stream: SceneStream, watch: Stopwatch) -> Iterator[None]:
    """Times the parts of a stream."""
    parts = [(name, getattr(stream, part), method) for name, part, method in STAGES]
    for name, part, method in parts:
        setattr(part, method, _timed(getattr(part, method), watch, name))
    try:
        yield
    finally:
        for _, part, method in parts:
            delattr(part, method)


def _timed(function: Callable[..., Any], watch: Stopwatch, name: str) -> Callable[..., Any]:
    def timed(*arguments: Any, **options: Any) -> Any:
        with watch.stage(name):
            return function(*arguments, **options)

    return timed


def total(stages: dict[str, Seconds]) -> Seconds:
    """All stages together."""
    return Seconds(sum(s.cpu for s in stages.values()), sum(s.wall for s in stages.values()))


def fastest(runs: list[dict[str, Seconds]]) -> dict[str, Seconds]:
    """The run with the least CPU time: the one that other work disturbed least."""
    return min(runs, key=lambda stages: total(stages).cpu)


def scene_gflop(config: SceneConfig, image_size: tuple[int, int], original: bool = False) -> float:
    """Floating-point operations (multiplication and addition count as two) of one later frame, in units of 1e9.

    Counted on tensors without memory, so it costs neither time nor memory.
    """
    with counting_operations(lambda: SceneStream(config)) as (stream, counter):
        image = torch.empty(1, 3, *image_size)
        state = stream.init_state()
        state = SceneState(**{**vars(state), 'started': True, 'fresh': None})
        with counter:
            if original:
                OriginalStream(stream).step(state, image, NoClock())
            else:
                stream.step(state, Frame(image))
    return counter.get_total_flops() * 1e-9
