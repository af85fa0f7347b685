"""Pictures of an evaluation: errors by occlusion, over time, and by distance (PNG)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hand3r_lab.evaluation import metrics
from hand3r_lab.evaluation.numbers import occlusion_bins, sample_numbers
from hand3r_lab.evaluation.samples import HandSample, Samples

MEASURES = ('PA-MPJPE mm', 'MPJPE mm', 'C-MPJPE mm')
COLORS = ('#4c78a8', '#f58518', '#54a24b')
MEASURED, GIVEN_EVERY_HAND = 'ours, network pose', 'ours'
POINTS_PER_MEDIAN = 20


def write_plots(folder: Path, samples: Mapping[str, Samples]) -> list[Path]:
    """Draws what the samples allow into ``folder``, which is made if needed; gives the files.

    Raises:
        OSError: the folder or a file cannot be written.

    """
    folder.mkdir(parents=True, exist_ok=True)
    every, ours = samples[GIVEN_EVERY_HAND].hands, samples[MEASURED].hands
    figures = {}
    if any(occlusion_bins(every).values()):
        figures['error_by_occlusion.png'] = occlusion_figure(every)
    if ours:
        figures['error_over_time.png'] = time_figure(ours)
        figures['error_by_distance.png'] = distance_figure(ours)
    for name, figure in figures.items():
        FigureCanvasAgg(figure).print_png(str(folder / name))
    return [folder / name for name in figures]


def occlusion_figure(hands: list[HandSample]) -> Figure:
    """Three bars per bin of hidden share."""
    bins = {name: chosen for name, chosen in occlusion_bins(hands).items() if chosen}
    rows = [sample_numbers(chosen) for chosen in bins.values()]
    figure, axes = _figure('Error by how much of the hand is hidden', '', 'mm')
    places, width = np.arange(len(bins)), 0.26
    for offset, (measure, color) in enumerate(zip(MEASURES, COLORS, strict=True)):
        bars = axes.bar(places + (offset - 1) * width, [r[measure] for r in rows], width, label=measure, color=color)
        axes.bar_label(bars, fmt='%.0f', fontsize=8)
    axes.set_xticks(places, [f'{name}\n({len(chosen)} hands)' for name, chosen in bins.items()])
    return _finish(figure, axes)


def time_figure(hands: list[HandSample]) -> Figure:
    """Mean and middle half of C-MPJPE against the time since the start of the sequence."""
    seconds = np.array([sample.seconds for sample in hands])
    errors = _camera_errors(hands)
    times = np.unique(seconds)
    at_time = [errors[seconds == time] for time in times]
    figure, axes = _figure('C-MPJPE over a sequence', 'seconds since its first frame', 'mm')
    low, high = (np.array([np.percentile(values, q) for values in at_time]) for q in (25, 75))
    axes.fill_between(times, low, high, color=COLORS[0], alpha=0.25, linewidth=0, label='middle half of the hands')
    axes.plot(times, [values.mean() for values in at_time], color=COLORS[0], label='mean')
    return _finish(figure, axes)


def distance_figure(hands: list[HandSample]) -> Figure:
    """C-MPJPE of every hand against the wrist's distance from the camera, with medians."""
    distances = np.array([np.linalg.norm(sample.truth[0]) for sample in hands])
    errors = _camera_errors(hands)
    order = np.argsort(distances)
    groups = np.array_split(order, max(1, min(12, len(order) // POINTS_PER_MEDIAN)))
    figure, axes = _figure('C-MPJPE by distance', 'true distance of the wrist, m', 'mm')
    axes.scatter(distances, errors, s=6, alpha=0.35, color=COLORS[0], linewidth=0, label='one hand in one frame')
    medians = [(np.median(distances[group]), np.median(errors[group])) for group in groups]
    axes.plot(*zip(*medians, strict=True), color=COLORS[1], marker='o', label='median of hands at like distance')
    return _finish(figure, axes)


def _camera_errors(hands: list[HandSample]) -> NDArray:
    """(N,) C-MPJPE in mm."""
    truth = np.stack([sample.truth for sample in hands])
    return 1e3 * metrics.keypoint_errors(np.stack([sample.predicted for sample in hands]), truth)


def _figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.0, 4.2), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    axes.set_title(title, loc='left')
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[['top', 'right']].set_visible(False)
    return figure, axes


def _finish(figure: Figure, axes: Axes) -> Figure:
    """The range starts at zero, and the legend stands where it hides nothing."""
    axes.set_ylim(bottom=0.0)
    figure.legend(loc='outside lower center', ncols=3, frameon=False)
    return figure
