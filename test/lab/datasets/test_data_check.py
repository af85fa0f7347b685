"""`hand3r-lab data check` recognises a folder and tells what of it is complete, missing and corrupt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from miniature_dexycb import CAMERAS, FRAMES, SEQUENCES, DexYCBMiniature
from miniature_hoi4d import ABSENT, COMPLETE, SHARED, WITHOUT_HANDS, HOI4DMiniature, camera_log, write_decoded

from hand3r_lab.cli import main
from hand3r_lab.datasets.dexycb_check import check_dexycb
from hand3r_lab.datasets.hoi4d_check import check_hoi4d
from hand3r_lab.datasets.hoi4d_poses import read_camera_log
from hand3r_lab.datasets.report import ExitCode, SequenceReport
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_ros.geometry import invert_transform

FIRST, SECOND = SEQUENCES


def statuses(report) -> dict[str, str]:
    return {sequence.name: sequence.status for sequence in report.sequences}


def of(report, name: str) -> SequenceReport:
    (found,) = [sequence for sequence in report.sequences if sequence.name == name]
    return found


def test_a_partial_dexycb_is_incomplete_but_its_views_are_complete(dexycb: DexYCBMiniature) -> None:
    report = check_dexycb(dexycb.root, deep=True)
    assert set(statuses(report).values()) == {'complete'}
    assert len(report.sequences) == len(SEQUENCES) * len(CAMERAS)
    assert 'subject 01: 1 of 100 sequences' in report.missing and 'subject 03' in report.missing
    assert report.exit_code == ExitCode.INCOMPLETE
    assert not report.corrupt
    assert sum(view.hand_labels or 0 for view in report.sequences) == len(SEQUENCES) * len(CAMERAS) * FRAMES - 1
    assert any(note.startswith('1 frames without a hand label') for note in report.notes)


def test_defects_of_dexycb_are_found(dexycb_copy: Path) -> None:
    view = dexycb_copy / FIRST / CAMERAS[0]
    (view / 'labels_000001.npz').unlink()
    (view / 'color_000002.jpg').write_bytes(b'')
    damaged = dexycb_copy / SECOND / CAMERAS[1] / 'aligned_depth_to_color_000000.png'
    damaged.write_bytes(damaged.read_bytes()[:200])
    (dexycb_copy / 'calibration/intrinsics' / f'{CAMERAS[1]}_640x480.yml').unlink()
    shallow = check_dexycb(dexycb_copy, deep=False)
    assert of(shallow, f'{FIRST}/{CAMERAS[0]}').missing == ['labels_000001.npz']
    assert of(shallow, f'{FIRST}/{CAMERAS[0]}').corrupt == ['color_000002.jpg: empty']
    assert of(shallow, f'{SECOND}/{CAMERAS[1]}').status == 'complete'
    assert f'calibration/intrinsics/{CAMERAS[1]}_640x480.yml' in shallow.missing
    deep = check_dexycb(dexycb_copy, deep=True)
    (defect,) = of(deep, f'{SECOND}/{CAMERAS[1]}').corrupt
    assert defect.startswith('aligned_depth_to_color_000000.png: cannot be decoded')
    assert deep.exit_code == shallow.exit_code == ExitCode.CORRUPT


def test_a_missing_camera_folder_and_a_broken_meta_file_are_found(dexycb_copy: Path) -> None:
    (dexycb_copy / FIRST / CAMERAS[0]).rename(dexycb_copy / 'elsewhere')
    (dexycb_copy / SECOND / 'meta.yml').write_text(': : :')
    report = check_dexycb(dexycb_copy, deep=False)
    assert of(report, f'{FIRST}/{CAMERAS[0]}').missing == [f'folder {CAMERAS[0]}']
    assert of(report, SECOND).status == 'corrupt'


def test_hoi4d_reports_lists_and_sequences(hoi4d: HOI4DMiniature) -> None:
    report = check_hoi4d(hoi4d.root, deep=True)
    assert set(statuses(report).values()) == {'complete'}
    assert report.missing == [f'{ABSENT} (in release.txt)']
    assert any(note.startswith('1 sequences stand in both') and SHARED in note for note in report.notes)
    assert of(report, WITHOUT_HANDS).hand_labels == 0 and of(report, COMPLETE).hand_labels == len(hoi4d.truth)
    assert report.exit_code == ExitCode.INCOMPLETE


def test_a_hoi4d_with_everything_listed_is_complete(hoi4d_copy: Path) -> None:
    (hoi4d_copy / 'release.txt').write_text('\n'.join((COMPLETE, WITHOUT_HANDS, SHARED)))
    assert check_hoi4d(hoi4d_copy, deep=False).exit_code == ExitCode.COMPLETE
    (hoi4d_copy / 'testset.txt').unlink()
    assert any('cannot tell' in note for note in check_hoi4d(hoi4d_copy, deep=False).notes)


def test_defects_of_hoi4d_are_found(hoi4d_copy: Path) -> None:
    release = hoi4d_copy / 'HOI4D_release'
    (release / SHARED / 'align_depth/depth_video.avi').unlink()
    video = release / COMPLETE / 'align_depth/depth_video.avi'
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.6)])
    (hoi4d_copy / 'handpose/refinehandpose_left' / COMPLETE / '3.pickle').write_bytes(b'\x80\x04N.')
    (hoi4d_copy / 'HOI4D_annotations' / WITHOUT_HANDS / '3Dseg/output.log').unlink()
    (hoi4d_copy / 'camera_params/ZY20210800001/intrin.npy').write_bytes(b'nothing')
    report = check_hoi4d(hoi4d_copy, deep=True)
    assert of(report, SHARED).missing == ['align_depth/depth_video.avi']
    assert of(report, WITHOUT_HANDS).missing == ['3Dseg/output.log']
    corrupt = '\n'.join(of(report, COMPLETE).corrupt)
    assert 'depth_video.avi: frame' in corrupt
    assert f'refinehandpose_left/{COMPLETE}/3.pickle: not a readable hand pose' in corrupt
    assert any('intrin.npy' in line for line in report.corrupt)
    shallow = check_hoi4d(hoi4d_copy, deep=False)
    assert of(shallow, COMPLETE).status == 'complete'


@pytest.mark.parametrize('deep', [False, True])
def test_gaps_in_decoded_frames_are_found(hoi4d: HOI4DMiniature, hoi4d_copy: Path, deep: bool) -> None:
    folder = hoi4d_copy / 'HOI4D_release' / COMPLETE
    write_decoded(folder, hoi4d.truth)
    (folder / 'align_rgb/00003.jpg').unlink()
    (folder / 'align_depth/00004.png').write_bytes(b'')
    found = of(check_hoi4d(hoi4d_copy, deep), COMPLETE)
    assert found.missing == ['align_rgb/00003.jpg']
    assert found.corrupt == ['align_depth/00004.png: empty']


def test_a_path_in_the_wrong_direction_is_noted(hoi4d_copy: Path) -> None:
    log = hoi4d_copy / 'HOI4D_annotations' / COMPLETE / '3Dseg/output.log'
    log.write_text(camera_log(list(invert_transform(read_camera_log(log)))))
    report = check_hoi4d(hoi4d_copy, deep=True)
    assert any('inverted' in note for note in of(report, COMPLETE).notes)
    assert not of(report, SHARED).notes


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    layout = RenderedDataLayout('train', 2, 3, 16, 32, 8, 1.3)
    data = RenderedData.create(tmp_path / 'rendered', layout)
    rng = np.random.default_rng(0)
    for row in range(2):
        data.arrays['image'][row] = rng.integers(0, 255, (3, 16, 32, 3))
        data.arrays['depth'][row] = 1.0
        data.arrays['intrinsics'][row] = 20.0
        data.arrays['T_world_camera'][row] = np.eye(4)
        data.arrays['hand_valid'][row, 0, 1] = True
        data.arrays['hand_rotations'][row] = np.eye(3)
        data.arrays['done'][row] = True
    for array in data.arrays.values():
        array.flush()  # type: ignore[attr-defined]
    return tmp_path / 'rendered'


def check(path: Path, *options: str) -> int:
    return main(['data', 'check', str(path), *options])


def test_rendered_data(rendered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(rendered, '--deep') == 0
    assert '2 complete, 0 incomplete, 0 corrupt' in capsys.readouterr().out
    data = RenderedData.open(rendered, writable=True)
    data.arrays['done'][1] = False
    data.arrays['done'].flush()  # type: ignore[attr-defined]
    assert check(rendered) == 3
    assert 'sequence 1: 1 missing (not rendered yet)' in capsys.readouterr().out
    data.arrays['depth'][0, 1] = np.nan
    data.arrays['depth'].flush()  # type: ignore[attr-defined]
    assert check(rendered) == 3
    assert check(rendered, '--deep') == 4
    assert 'depth: values that are not finite' in capsys.readouterr().out


def test_truncated_and_foreign_arrays_of_rendered_data(rendered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = rendered / 'image.npy'
    image.write_bytes(image.read_bytes()[:500])
    np.save(rendered / 'hand_box.npy', np.zeros((7, 3)))
    (rendered / 'depth.npy').unlink()
    assert check(rendered) == 4
    text = capsys.readouterr().out
    assert 'image.npy' in text and 'hand_box.npy: is float64 (7, 3)' in text and 'depth.npy' in text
    (rendered / 'layout.json').write_text(json.dumps({'frames': 3}))
    assert check(rendered) == 1
    assert 'no layout of rendered data' in capsys.readouterr().err


def test_the_command_prints_and_exits_by_what_it_found(
    dexycb: DexYCBMiniature, hoi4d: HOI4DMiniature, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(dexycb.root) == 3
    assert 'DexYCB' in capsys.readouterr().out
    assert check(hoi4d.root) == 3
    text = capsys.readouterr().out
    assert 'HOI4D' in text and SHARED in text and text.rstrip().endswith('incomplete')


def test_other_folders_are_refused_with_what_was_found_and_expected(
    dexycb: DexYCBMiniature, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'holiday').mkdir()
    (tmp_path / 'holiday' / 'beach.jpg').write_bytes(b'')
    assert check(tmp_path / 'holiday') == 1
    error = capsys.readouterr().err
    assert 'beach.jpg' in error and '20200709-subject-01' in error and 'ZY20210800001' in error
    assert check(tmp_path / 'nowhere') == 1
    assert 'does not exist' in capsys.readouterr().err
    assert check(dexycb.root / FIRST) == 1
    assert f'{dexycb.root} looks like DexYCB' in capsys.readouterr().err


def test_a_folder_with_only_the_name_of_a_data_set_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'HOI4D_release' / 'ZY20210800001' / 'H1').mkdir(parents=True)
    assert check(tmp_path) == 1
    assert 'has no HOI4D sequence' in capsys.readouterr().err


def test_long_lists_are_cut_unless_all_is_asked_for(dexycb_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (dexycb_copy / 'calibration/intrinsics').iterdir():
        path.unlink()
    check(dexycb_copy)
    short = capsys.readouterr().out
    check(dexycb_copy, '--all')
    assert short.count('\n') <= capsys.readouterr().out.count('\n')
