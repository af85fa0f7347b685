"""Evaluation on recordings of a depth camera: what is read, and that measured depth shows in the numbers."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from hand3r_lab.evaluation.rgbd import INPUTS, evaluate_rgbd, read_rgbd
from hand3r_lab.scenes.sequence import SceneConfig, Sequence

FRAMES = 4


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('rgbd')
    sequence = Sequence(5, SceneConfig(width=320, height=240, frames=FRAMES, fps=10.0, hands='none', effects=False))
    frames = [sequence.frame(index) for index in range(FRAMES)]
    for index, frame in enumerate(frames):
        cv2.imwrite(str(folder / f'color_{index}.png'), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / f'depth_{index}.png'), np.round(1000.0 * frame.depth).astype(np.uint16))
    np.savetxt(folder / 'poses.txt', [frame.T_world_camera.ravel() for frame in frames])
    np.savetxt(folder / 'intrinsics.txt', frames[0].intrinsics.matrix())
    return folder


def test_measured_depth_shows_in_depth_scale_and_map(folder, tmp_path):
    text = evaluate_rgbd(folder, 'tiny', None, tmp_path / 'numbers.json')
    rows = {row['depth']: row for row in json.loads((tmp_path / 'numbers.json').read_text())['rgbd']}
    assert tuple(rows) == INPUTS and all(f'| {kind} |' in text for kind in INPUTS)
    assert rows['given']['abs_rel'] < 0.01 < rows['hidden']['abs_rel']
    assert rows['given']['scale_error'] < 1.01
    assert rows['given']['map_error'] < 0.01
    assert rows['holes']['abs_rel'] < 0.05


def test_a_recording_with_other_poses_is_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    np.savetxt(tmp_path / 'poses.txt', np.zeros((2, 16)))
    with pytest.raises(ValueError, match='has 2 rows of 16 numbers for 4 images'):
        read_rgbd(tmp_path)
