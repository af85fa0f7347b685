"""Labelled photos: stretched fingers from keypoints, labels that are refused, and the numbers of the command."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand3r_lab.cli import main
from hand3r_lab.evaluation.finger_counts import LabelledHand, matched, read_labels, stretched_fingers
from hand3r_lab.evaluation.outputs import CARD_END, PHOTOS_BEGIN, measured_in
from hand3r_lab.evaluation.photo_sheet import TILE
from hand3r_lab.evaluation.photos import (
    EXACT,
    FITTED,
    FOUND,
    GHOSTS,
    LABELLED,
    LANDMARKS,
    OTHERS,
    SAME_BOXES,
    PhotoRecord,
    PhotoScore,
    SeenHand,
    format_photos,
)
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.keypoint_kinematics import KeypointKinematics

REAL = Path(__file__).resolve().parents[3].parent / 'shared' / 'real'
WEIGHTS = Path(__file__).parents[3] / 'weights'
MANO_ORDER = ('index', 'middle', 'little', 'ring', 'thumb')
STRETCHED, BENT = 0.1, 1.3


def keypoints(*stretched: str):
    """Of an open hand of which only these fingers are stretched."""
    flexion = [STRETCHED if finger in stretched else BENT for finger in MANO_ORDER for _ in range(3)]
    if 'thumb' not in stretched:
        flexion[12:] = [0.6, 0.9, 1.0]
    angles = np.concatenate([flexion, np.zeros(10)])
    return KeypointKinematics(load_open_hand()).pose(np.eye(3), angles, np.zeros(10)).points


@pytest.mark.parametrize(
    'fingers', [(), ('index',), ('index', 'middle'), ('index', 'little'), ('thumb',), ('thumb', *MANO_ORDER[:4])]
)
def test_stretched_fingers_are_counted_in_any_unit_and_place(fingers):
    assert stretched_fingers(1e3 * keypoints(*fingers) + 5.0) == len(fingers)


def test_a_label_takes_the_box_that_overlaps_most_and_every_box_counts_once():
    labels = [LabelledHand(1, np.array([0.0, 0.0, 10.0, 10.0])), LabelledHand(2, np.array([4.0, 0.0, 14.0, 10.0]))]
    near_second = np.array([5.0, 0.0, 15.0, 10.0])
    assert matched(labels, [near_second]) == [None, 0]
    assert matched(labels, [near_second, np.array([1.0, 0.0, 11.0, 10.0])]) == [1, 0]
    assert matched(labels, [np.array([100.0, 0.0, 110.0, 10.0])]) == [None, None]
    assert matched([], [near_second]) == []


def test_hands_that_are_missed_wrong_or_not_labelled_are_told_apart():
    labels = tuple(LabelledHand(n, np.array([100.0 * n, 0.0, 100.0 * n + 50.0, 50.0])) for n in (1, 2, 3))
    right = SeenHand(labels[0].box, keypoints('index'))
    wrong = SeenHand(labels[1].box, keypoints('index'))
    other = SeenHand(np.array([0.0, 500.0, 50.0, 550.0]), keypoints())
    score = PhotoScore()
    assert score.add(labels, [wrong, other, right]) == (1, 1, None)
    score.add_without_hands([other])
    assert score.numbers(True) == {LABELLED: 3, FOUND: 2, EXACT: 1, OTHERS: 1, GHOSTS: 1}
    assert GHOSTS not in score.numbers(False)


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        ('name,count\na.png,1\n', 'columns'),
        ('file,fingers,x1,y1,x2,y2\n', 'no hand'),
        ('file,fingers,x1,y1,x2,y2\n../a.png,1,0,0,5,5\n', r'line 2: .*no image'),
        ('file,fingers,x1,y1,x2,y2\na.png,6,0,0,5,5\n', 'line 2: fingers is 6'),
        ('file,fingers,x1,y1,x2,y2\na.png,1,0,0,5,5\na.png,two,0,0,5,5\n', 'line 3'),
        ('file,fingers,x1,y1,x2,y2\na.png,1,5,0,5,5\n', 'line 2: the box .*empty'),
        ('file,fingers,x1,y1,x2,y2\na.png,1,0,0,5\n', 'line 2'),
        (None, 'cannot be read'),
    ],
)
def test_labels_that_cannot_be_meant_so_are_named(tmp_path, content, problem):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((8, 8, 3), np.uint8))
    if content is not None:
        (tmp_path / 'labels.csv').write_text(content)
    with pytest.raises(ValueError, match=rf'labels\.csv.*{problem}'):
        read_labels(tmp_path)


def test_the_command_measures_photos_and_writes_numbers_card_and_sheet(tmp_path, capsys):
    if not REAL.is_dir():
        pytest.skip('there are no photos beside this repository')
    folder, files = tmp_path / 'photos', ['photo_002.jpg', 'photo_010.jpg']
    folder.mkdir()
    lines = (REAL / 'fingers' / 'labels.csv').read_text().splitlines()
    chosen = [line for line in lines[1:] if line.split(',')[0] in files]
    (folder / 'labels.csv').write_text('\n'.join([lines[0], *chosen]) + '\n')
    for file in files:
        shutil.copy(REAL / 'fingers' / file, folder)
    (tmp_path / 'card.md').write_text(f'{PHOTOS_BEGIN}\nold\n{CARD_END}\n')
    empty = REAL / 'rgbd' / 'color_00.jpg'
    arguments = ['evaluate', '--photos', folder, '--without-hands', empty, '--empty-rooms', '1', '--sheet']
    arguments += [tmp_path / 'sheet.png', '--out', tmp_path / 'n.json', '--card', tmp_path / 'card.md']
    assert main([str(argument) for argument in arguments]) in (0, None)
    record = PhotoRecord.load(tmp_path / 'n.json')
    assert (record.photos, record.images_without_hands, record.empty_rooms) == (2, 1, 1)
    for way in (FITTED, LANDMARKS, SAME_BOXES):
        assert record.rows[way][LABELLED] == record.rows[way][FOUND] == len(chosen)
    assert record.rows[FITTED][EXACT] == len(chosen)
    assert record.rows[FITTED][GHOSTS] == 0.0
    assert format_photos(record) in capsys.readouterr().out
    assert measured_in((tmp_path / 'card.md').read_text(), PHOTOS_BEGIN) == format_photos(record)
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape[:2] == (TILE[1], 8 * TILE[0])
