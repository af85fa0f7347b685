"""The shipped file gives the numbers that are stated for it, and the model card states exactly these.

``weights/tiny_check.json`` is a small evaluation, done again here; ``weights/tiny_evaluation.json`` is the large one of
the card. weights/README.md has the commands that make both.
"""

import copy
import hashlib
from pathlib import Path

import pytest

from hand3r_lab.evaluation.jobs import Plan, measure
from hand3r_lab.evaluation.outputs import PHOTOS_BEGIN, measured_in
from hand3r_lab.evaluation.photos import PhotoRecord, format_photos
from hand3r_lab.evaluation.record import Record
from hand3r_lab.evaluation.rendered import record_of
from hand3r_lab.evaluation.report import format_report

WEIGHTS = Path(__file__).parents[2] / 'weights'
CHECK, EVALUATION = WEIGHTS / 'tiny_check.json', WEIGHTS / 'tiny_evaluation.json'
RELATIVE = 0.02
"""Processors round differently. In float32 that moves keypoints by micrometres, but where a crop or a rendered edge is
rounded to a pixel, or a track is lost a frame earlier, by up to some tenths of a millimetre in means of few hands."""
ABSOLUTE = {'mm': 0.5, 'cm': 0.1, 'deg': 0.1, 'm/s2': 0.1}
ANY_UNIT = 0.01
"""Of shares (AUC, delta1, AbsRel)."""
PER_HAND = 0.15
"""Of detection: one of the few hands of the small evaluation may cross a threshold."""


def differences(found: Record, stated: Record) -> list[str]:
    """What is not the same within rounding; everything that is stated has to be found."""
    wrong = [] if found.rows.keys() == stated.rows.keys() else [f'rows are {sorted(found.rows)}']
    for row, numbers in stated.rows.items():
        measured = found.rows.get(row, {})
        for name, value in numbers.items():
            rounding = RELATIVE * abs(value) + ABSOLUTE.get(name.split()[-1], ANY_UNIT)
            tolerance = 0.0 if name == 'hands' else rounding
            if name not in measured or abs(measured[name] - value) > tolerance:
                wrong.append(f'{row}, {name}: {measured.get(name)} instead of {value}')
    for name, value in (stated.detection or {}).items():
        measured = (found.detection or {}).get(name)
        if measured is None or abs(measured - value) > (0.0 if name == 'hands' else PER_HAND):
            wrong.append(f'detection, {name}: {measured} instead of {value}')
    return wrong


@pytest.fixture(scope='module')
def stated():
    return Record.load(CHECK)


@pytest.fixture(scope='module')
def found(stated):
    plan = Plan(
        weights_dir=WEIGHTS,
        sequences=stated.sequences,
        frames=stated.frames,
        ablation_sequences=stated.ablation_sequences,
        detection=stated.detection is not None,
    )
    return record_of(plan, measure(plan, 1), stated.weights_sha256)


@pytest.mark.parametrize('file', [CHECK, EVALUATION], ids=lambda file: file.stem)
def test_the_numbers_are_those_of_the_shipped_file(file):
    checksum = hashlib.sha256((WEIGHTS / 'tiny.safetensors').read_bytes()).hexdigest()
    assert Record.load(file).weights_sha256 == checksum, f'measured with other weights: make {file.name} again'


def test_the_shipped_file_gives_the_stated_numbers(found, stated):
    assert stated.rows['ours']['hands'] > 0
    assert differences(found, stated) == [], 'weights, renderer or evaluation changed: make tiny_check.json again'


def test_every_other_number_is_noticed(stated):
    for name, value in stated.rows['ours'].items():
        other = copy.deepcopy(stated)
        other.rows['ours'][name] = 1.05 * value + 1.0
        (line,) = differences(other, stated)
        assert line.startswith(f'ours, {name}: ')
        del other.rows['ours'][name]
        assert len(differences(other, stated)) == 1
    assert differences(copy.deepcopy(stated), stated) == []


def test_the_large_evaluation_is_no_copy_of_the_small_one(stated):
    large = Record.load(EVALUATION)
    assert large.sequences * large.frames > stated.sequences * stated.frames
    assert differences(large, stated)


def test_the_card_shows_exactly_the_measured_numbers():
    assert measured_in((WEIGHTS / 'README.md').read_text()) == format_report(Record.load(EVALUATION))


@pytest.mark.parametrize('document', ['weights/README.md', 'docs/real_footage.md'])
def test_documents_show_exactly_the_numbers_measured_on_photos(document):
    record = PhotoRecord.load(WEIGHTS / 'photo_evaluation.json')
    assert measured_in((WEIGHTS.parent / document).read_text(), PHOTOS_BEGIN) == format_photos(record)
    assert record.weights_sha256 == hashlib.sha256((WEIGHTS / f'{record.preset}.safetensors').read_bytes()).hexdigest()
