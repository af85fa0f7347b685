"""Aims say what was reached, and by which factor trivial predictors are beaten."""

import re

import pytest

from hand3r_lab.cli import main
from hand3r_lab.evaluation.aims import AIMS, BASELINES, aim_results, gain_percent
from hand3r_lab.evaluation.outputs import CARD_BEGIN, CARD_END, measured_in
from hand3r_lab.evaluation.record import Record
from hand3r_lab.evaluation.report import format_report

ROWS = {
    'ours': {'PA-MPJPE mm': 8.0, 'MPJPE mm': 16.0, 'C-MPJPE mm': 40.0, 'depth AbsRel': 0.1, 'hands': 3.0},
    'ours, network pose': {'camera ATE cm': 6.0, 'WA-MPJPE mm': 50.0},
    'ours, geometric pose': {'camera ATE cm': 1.5, 'WA-MPJPE mm': 20.0},
    'ours, same sequences': {'C-MPJPE mm': 45.0},
    'ours, zeroed scene': {'C-MPJPE mm': 90.0},
    'ours, without prompts': {'C-MPJPE mm': 49.0},
    'mean pose': {'PA-MPJPE mm': 16.0, 'MPJPE mm': 64.0, 'C-MPJPE mm': 200.0, 'WA-MPJPE mm': 30.0},
    'true rotation + mean pose': {'PA-MPJPE mm': 12.0, 'MPJPE mm': 18.0, 'C-MPJPE mm': 100.0},
    'depth from box size': {'C-MPJPE mm': 80.0},
    'constant depth': {'C-MPJPE mm': 160.0, 'depth AbsRel': 0.4},
    'static camera': {'camera ATE cm': 9.0, 'WA-MPJPE mm': 60.0},
}


def results(detection=None, pose='geometric', rows=None):
    return {aim.name: aim for aim in aim_results(rows or ROWS, detection, pose)}


def test_a_limit_is_to_be_undercut_and_f1_to_be_exceeded():
    found = results({'F1': 0.95})
    assert {name: aim.reached for name, aim in found.items()} == {
        'PA-MPJPE mm': True,
        'root-relative MPJPE mm': False,  # 16 is not below 16
        'C-MPJPE mm': True,
        'WA-MPJPE mm, 30 frames': True,
        'depth AbsRel': True,
        'camera ATE cm': True,
        'detection F1': True,
        'gain from prompts, % of C-MPJPE': False,
        'gain from scene, % of C-MPJPE': True,
    }
    assert results({'F1': 0.9})['detection F1'].reached is False


def test_factors_are_those_of_every_baseline_that_knows_the_number():
    found = results()
    assert found['C-MPJPE mm'].factors == {
        'mean pose': 5.0,
        'true rotation + mean pose': 2.5,
        'depth from box size': 2.0,
        'constant depth': 4.0,
    }
    assert found['C-MPJPE mm'].worthwhile is True  # twice is enough
    assert found['PA-MPJPE mm'].factors == {'mean pose': 2.0, 'true rotation + mean pose': 1.5}
    assert found['PA-MPJPE mm'].worthwhile is False
    assert found['depth AbsRel'].factors == {'constant depth': pytest.approx(4.0)}
    assert found['detection F1'].worthwhile is None


def test_camera_and_world_are_those_of_the_recommended_pose():
    assert results(pose='geometric')['camera ATE cm'].factors == {'static camera': 6.0}
    assert results(pose='network')['camera ATE cm'].value == 6.0
    assert results(pose='network')['WA-MPJPE mm, 30 frames'].reached is False


def test_gains_compare_on_the_same_sequences():
    assert gain_percent(ROWS, 'ours, zeroed scene') == pytest.approx(50.0)
    assert gain_percent(ROWS, 'ours, without prompts') == pytest.approx(100.0 * 4.0 / 49.0)
    assert gain_percent(ROWS, 'ours, without state') is None


def test_what_was_not_measured_is_neither_reached_nor_missed():
    found = results(rows={'ours': ROWS['ours']})
    for name in ('camera ATE cm', 'detection F1', 'gain from prompts, % of C-MPJPE'):
        assert (found[name].value, found[name].reached) == (None, None)


def test_the_table_and_the_file_hold_them(tmp_path):
    aims = aim_results(ROWS, {'F1': 0.5}, 'geometric')
    record = Record('rendered test set', 'tiny', 'abc', 2, 3, ROWS, 1, 'geometric', aims, {'F1': 0.5})
    record.save(tmp_path / 'record.json')
    assert Record.load(tmp_path / 'record.json') == record
    assert '"reached": false' in (tmp_path / 'record.json').read_text()
    text = format_report(record)
    assert '| PA-MPJPE mm | 8.0 | < 9 | yes | 2.0x | 1.5x | - | - | - | **no** |' in text
    assert '| detection F1 | 0.500 | > 0.9 | **no** | - | - | - | - | - | - |' in text
    assert all(aim.name in text for aim in AIMS)
    assert all(f'against {name}' in text for name in BASELINES)


def test_the_command_prints_an_earlier_evaluation_and_fills_the_card(tmp_path, capsys):
    aims = aim_results(ROWS, {'F1': 0.5}, 'geometric')
    record = Record('rendered test set', 'tiny', 'abc', 2, 3, ROWS, 1, 'geometric', aims, {'F1': 0.5})
    record.save(tmp_path / 'record.json')
    (tmp_path / 'card.md').write_text(f'{CARD_BEGIN}{CARD_END}')
    assert not main(['evaluate', '--numbers', str(tmp_path / 'record.json'), '--card', str(tmp_path / 'card.md')])
    assert format_report(record) in capsys.readouterr().out
    assert measured_in((tmp_path / 'card.md').read_text()) == format_report(record)


@pytest.mark.parametrize(
    ('options', 'message'),
    [(['--numbers', 'record.json'], r'record\.json does not hold'), (['--detection', 'only'], '--detection only')],
)
def test_plots_of_what_was_not_measured_are_refused(tmp_path, capsys, options, message):
    assert main(['evaluate', *options, '--plots', str(tmp_path / 'plots')])
    assert re.search(f'--plots shows.*{message}', capsys.readouterr().err)
    assert not (tmp_path / 'plots').exists()


def test_another_file_is_refused(tmp_path):
    (tmp_path / 'old.json').write_text('{"ours": {"MPJPE mm": 1.0}}')
    with pytest.raises(ValueError, match=r'old\.json was not written by `hand3r-lab evaluate --out`'):
        Record.load(tmp_path / 'old.json')
