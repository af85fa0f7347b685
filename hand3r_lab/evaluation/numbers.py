"""From samples to the numbers of the tables: hands, occlusion bins, world, cameras, depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.evaluation import metrics
from hand3r_lab.evaluation.detection import OCCLUSION_BINS
from hand3r_lab.evaluation.samples import HandSample, Samples, WorldTrack

SHORT_WINDOW, LONG_WINDOW = 30, 100
"""Frames of a W-/WA-MPJPE window, as in the paper."""

Numbers = dict[str, float]


def hand_numbers(predicted: NDArray, truth: NDArray) -> Numbers:
    """PA, root-relative and camera-frame errors in millimetres, and AUC, of (N, 21, 3) keypoints; empty for N = 0."""
    if not len(predicted):
        return {}
    p, t = np.asarray(predicted, float), np.asarray(truth, float)
    aligned = np.stack([metrics.fit_similarity(a, b).apply(a) for a, b in zip(p, t, strict=True)])
    return {
        'PA-MPJPE mm': 1e3 * float(metrics.keypoint_errors(aligned, t).mean()),
        'MPJPE mm': 1e3 * float(metrics.root_relative_errors(p, t).mean()),
        'C-MPJPE mm': 1e3 * float(metrics.keypoint_errors(p, t).mean()),
        'AUC (PA)': metrics.area_under_curve(aligned, t),
    }


def sample_numbers(hands: Sequence[HandSample]) -> Numbers:
    """``hand_numbers`` and how many hands there are; empty without hands."""
    if not hands:
        return {}
    numbers = hand_numbers(np.stack([s.predicted for s in hands]), np.stack([s.truth for s in hands]))
    return {**numbers, 'hands': float(len(hands))}


def bin_name(bounds: tuple[float, float]) -> str:
    """'25 to 50 % hidden'."""
    return f'{100 * bounds[0]:.0f} to {100 * bounds[1]:.0f} % hidden'


def occlusion_bins(hands: Sequence[HandSample]) -> dict[str, list[HandSample]]:
    """Hands by the hidden share of their pixels, 1 - visible fraction; hands of which it is unknown are in no bin."""
    bins: dict[str, list[HandSample]] = {bin_name(bounds): [] for bounds in OCCLUSION_BINS}
    for sample in hands:
        hidden = 1.0 - sample.hand.visible_fraction
        if np.isfinite(hidden):
            bounds = next((b for b in OCCLUSION_BINS if hidden < b[1]), OCCLUSION_BINS[-1])
            bins[bin_name(bounds)].append(sample)
    return bins


def occlusion_numbers(hands: Sequence[HandSample], prefix: str) -> dict[str, Numbers]:
    """A row for every bin that has hands."""
    return {f'{prefix}, {name}': sample_numbers(chosen) for name, chosen in occlusion_bins(hands).items() if chosen}


def scene_numbers(samples: Samples) -> Numbers:
    """Depth accuracy over all frames; empty where no depth is known."""
    relative, within, count = samples.depth_sums
    if not count:
        return {}
    return {'depth AbsRel': float(relative / count), 'depth delta1': float(within / count)}


def camera_numbers(cameras: Sequence[tuple[NDArray, NDArray]]) -> Numbers:
    """Mean trajectory and rotation error over sequences, each (T, 4, 4) predicted and true; empty without any."""
    if not cameras:
        return {}
    errors = [metrics.trajectory_errors(p, t)[:2] for p, t in cameras]
    return {
        'camera ATE cm': 1e2 * float(np.mean([e[0] for e in errors])),
        'camera rotation deg': float(np.rad2deg(np.mean([e[1] for e in errors]))),
    }


def windows(tracks: Sequence[WorldTrack], length: int) -> list[tuple[NDArray, NDArray]]:
    """Predicted and true (length, 21, 3) of as many whole windows as follow one another in each track."""
    return [
        (track.predicted[start : start + length], track.truth[start : start + length])
        for track in tracks
        for start in range(0, len(track.frames) - length + 1, length)
    ]


def world_numbers(tracks: Sequence[WorldTrack]) -> Numbers:
    """W- and WA-MPJPE over windows of 30 and of 100 frames, millimetres, and jitter.

    What no track is long enough for is left out.
    """
    numbers: Numbers = {}
    for length, suffix in ((SHORT_WINDOW, 'mm'), (LONG_WINDOW, '100 mm')):
        chosen = windows(tracks, length)
        if chosen:
            world = np.mean([metrics.world_errors(p, t).mean() for p, t in chosen])
            aligned = np.mean([metrics.world_aligned_errors(p, t).mean() for p, t in chosen])
            numbers[f'W-MPJPE {suffix}'] = 1e3 * float(world)
            numbers[f'WA-MPJPE {suffix}'] = 1e3 * float(aligned)
    jitter = accelerations(tracks)
    if len(jitter):
        numbers['jitter m/s2'] = float(jitter.mean())
    return numbers


def accelerations(tracks: Sequence[WorldTrack]) -> NDArray:
    """Acceleration errors in m/s^2 of every hand and every three frames that follow one another without a gap."""
    errors = [np.zeros(0)]
    for track in tracks:
        if len(track.frames) >= 3:
            consecutive = track.frames[2:] - track.frames[:-2] == 2
            per_frame = metrics.acceleration_errors(track.predicted, track.truth)
            errors.append(per_frame[consecutive] * track.frame_rate**2)
    return np.concatenate(errors)
