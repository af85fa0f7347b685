"""Plots show all that was measured."""

import cv2
import numpy as np
import pytest

from hand3r_lab.evaluation import plots
from hand3r_lab.evaluation.samples import HandSample, Samples
from hand3r_lab.evaluation.truth import EvaluatedHand
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide

INTRINSICS = Intrinsics(500.0, 500.0, 319.5, 239.5, 640, 480)


@pytest.fixture(scope='module')
def hands():
    generator = np.random.default_rng(0)
    return [hand(generator, 0.2 + 0.01 * index, (index % 10) / 10, visible=1.0 - index / 100) for index in range(100)]


def hand(generator, distance, seconds, visible):
    truth = generator.normal(0.0, 0.04, (21, 3)) + np.array([0.0, 0.0, distance])
    predicted = truth + np.array([0.0, 0.0, 0.1 * distance])
    evaluated = EvaluatedHand(HandSide.LEFT, truth, np.zeros(4), visible, np.zeros((16, 3, 3)), np.zeros(10))
    return HandSample(predicted, truth, evaluated, INTRINSICS, seconds)


@pytest.mark.parametrize('draw', [plots.occlusion_figure, plots.time_figure, plots.distance_figure])
def test_the_range_holds_everything_drawn_and_starts_at_zero(hands, draw):
    axes = draw(hands).axes[0]
    low, high = axes.get_ylim()
    drawn = [patch.get_height() for patch in axes.patches] + [line.get_ydata().max() for line in axes.lines]
    drawn += [c.get_offsets()[:, 1].max() for c in axes.collections if len(c.get_offsets()) > 1]
    assert low == 0.0
    assert 20.0 < max(drawn) < high < 2.0 * max(drawn)


def test_there_are_three_bars_per_bin_of_which_each_is_its_number(hands):
    axes = plots.occlusion_figure(hands).axes[0]
    assert len(axes.patches) == 12
    errors = 1e3 * 0.1 * np.array([0.2 + 0.01 * index for index in range(76, 100)])  # C-MPJPE of the last bin
    assert axes.patches[-1].get_height() == pytest.approx(errors.mean(), rel=0.02)


def test_pictures_are_written_and_nothing_is_drawn_of_nothing(hands, tmp_path):
    samples = {'ours': Samples(hands=hands), 'ours, network pose': Samples(hands=hands)}
    files = plots.write_plots(tmp_path / 'new' / 'folder', samples)
    assert len(files) == 3
    assert all(cv2.imread(str(file)).std() > 5.0 for file in files)
    assert plots.write_plots(tmp_path, {'ours': Samples(), 'ours, network pose': Samples()}) == []
