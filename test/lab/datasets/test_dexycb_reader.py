"""DexYCB as published: labels become exact metric hands, views share one world, setups never overlap."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from miniature_dexycb import CAMERAS, FRAMES, MISSING_LABEL, SEQUENCES, DexYCBMiniature, annotated_keypoints
from scipy.spatial import cKDTree

from hand3r_lab.datasets.dexycb import DexYCBSequence, chosen_views, open_sequences, read_label
from hand3r_lab.datasets.dexycb_layout import SERIALS, DexYCBLayout, read_extrinsics
from hand3r_lab.datasets.dexycb_setups import PARTS, SETUPS, setup_part
from hand3r_lab.datasets.mano_annotations import AnnotationModel
from hand3r_lab.datasets.samples import CorruptSampleError, DataSetError
from hand3r_ros.geometry import project_points, transform_points, unproject_depth
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide

LABELLED = [
    (folder, serial, index)
    for folder in SEQUENCES
    for serial in CAMERAS
    for index in range(FRAMES)
    if (folder, serial, index) != MISSING_LABEL
]


def view(root: Path, folder: str, serial: str, model: AnnotationModel) -> DexYCBSequence:
    return DexYCBSequence(DexYCBLayout(root), root / folder, serial, model)


@pytest.mark.parametrize(('folder', 'serial', 'index'), LABELLED)
def test_hands_are_those_of_the_scene(
    dexycb: DexYCBMiniature, model: AnnotationModel, folder: str, serial: str, index: int
) -> None:
    frame = view(dexycb.root, folder, serial, model).frame(index)
    truth = dexycb.truth[folder, serial, index]
    (hand,), (expected,) = frame.hands, truth.hands
    assert hand.side == expected.side == SEQUENCES[folder]
    np.testing.assert_allclose(hand.wrist_camera, expected.wrist_camera, atol=1e-5)
    np.testing.assert_allclose(hand.vertices_camera, expected.vertices_camera, atol=2e-5)
    np.testing.assert_allclose(hand.keypoints_camera, annotated_keypoints(expected), atol=1e-5)
    rotations = expected.rotations if hand.side == HandSide.RIGHT else mirror_rotations(expected.rotations)
    np.testing.assert_allclose(hand.rotations, rotations, atol=1e-4)
    np.testing.assert_allclose(hand.betas, expected.betas, atol=1e-3)
    np.testing.assert_allclose(project_points(hand.keypoints_camera, frame.intrinsics), hand.keypoints_image, atol=0.01)
    assert np.abs(frame.image.astype(int) - truth.image).mean() < 4.0  # JPEG


@pytest.mark.parametrize('folder', SEQUENCES)
def test_depth_of_hand_pixels_lies_on_the_mesh(dexycb: DexYCBMiniature, model: AnnotationModel, folder: str) -> None:
    sequence = view(dexycb.root, folder, CAMERAS[1], model)
    frame = sequence.frame(0)
    assert frame.depth is not None
    on_hand = unproject_depth(frame.depth, frame.intrinsics)[sequence.label(0).segmentation == 255]
    distance, _ = cKDTree(frame.hands[0].vertices_camera).query(on_hand)
    assert len(on_hand) > 500
    assert np.percentile(distance, 95) < 0.008


@pytest.mark.parametrize('folder', SEQUENCES)
def test_cameras_share_one_world(dexycb: DexYCBMiniature, model: AnnotationModel, folder: str) -> None:
    wrists = []
    for serial in CAMERAS:
        frame = view(dexycb.root, folder, serial, model).frame(1)
        assert frame.T_world_camera is not None
        wrists.append(transform_points(frame.T_world_camera, frame.hands[0].wrist_camera[None])[0])
    np.testing.assert_allclose(wrists[0], wrists[1], atol=1e-5)


def test_missing_labels_give_no_hand(dexycb: DexYCBMiniature, model: AnnotationModel) -> None:
    folder, serial, index = MISSING_LABEL
    sequence = view(dexycb.root, folder, serial, model)
    assert not sequence.label(index).has_hand
    assert sequence.frame(index).hands == ()
    assert len(sequence.frame(index - 1).hands) == 1


def test_a_hand_that_is_not_seen_gives_no_hand(dexycb_copy: Path, model: AnnotationModel) -> None:
    folder, serial = next(iter(SEQUENCES)), CAMERAS[0]
    path = dexycb_copy / folder / serial / 'labels_000000.npz'
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **{**arrays, 'seg': np.zeros_like(arrays['seg'])})
    assert read_label(path).has_hand
    assert view(dexycb_copy, folder, serial, model).hands(0) == ()


def damage_image(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def make_garbage(path: Path) -> None:
    path.write_bytes(b'not what it claims to be')


@pytest.mark.parametrize('damage', [damage_image, make_garbage, Path.unlink, lambda path: path.write_bytes(b'')])
@pytest.mark.parametrize('name', ['color_000001.jpg', 'aligned_depth_to_color_000001.png', 'labels_000001.npz'])
def test_damaged_files_are_named(dexycb_copy: Path, model: AnnotationModel, name: str, damage) -> None:
    folder, serial = next(iter(SEQUENCES)), CAMERAS[0]
    sequence = view(dexycb_copy, folder, serial, model)
    damage(dexycb_copy / folder / serial / name)
    with pytest.raises(CorruptSampleError, match=name):
        sequence.frame(1)
    assert len(sequence.frame(0).hands) == 1


def test_labels_of_other_shapes_are_refused(dexycb_copy: Path) -> None:
    path = dexycb_copy / next(iter(SEQUENCES)) / CAMERAS[0] / 'labels_000000.npz'
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **{**arrays, 'pose_m': np.ones((1, 48))})
    with pytest.raises(CorruptSampleError, match=r'pose_m must have shape \(51,\)'):
        read_label(path)
    np.savez(path, **{**arrays, 'joint_3d': np.full((1, 21, 3), np.nan)})
    with pytest.raises(CorruptSampleError, match='joint_3d holds values that are not finite'):
        read_label(path)


def test_calibration_with_python_objects_is_refused(dexycb_copy: Path, tmp_path: Path) -> None:
    path = next((dexycb_copy / 'calibration').glob('extrinsics_*')) / 'extrinsics.yml'
    assert set(read_extrinsics(path)) == {*CAMERAS, 'apriltag'}
    trace = tmp_path / 'executed'
    path.write_text(f'extrinsics: !!python/object/apply:os.system ["touch {trace}"]\n')
    with pytest.raises(CorruptSampleError, match='not readable as plain YAML'):
        read_extrinsics(path)
    assert not trace.exists()


def test_setups_have_the_published_sizes_and_never_overlap() -> None:
    everything = {
        (subject, serial, position) for subject in range(1, 11) for serial in SERIALS for position in range(100)
    }
    sizes = {}
    for setup in SETUPS:
        parts = {}
        for part in PARTS:
            chosen = setup_part(setup, part)
            parts[part] = {(s, c, p) for s in chosen.subjects for c in chosen.serials for p in chosen.positions}
            sizes[setup, part] = len(parts[part]) // len(chosen.serials)
        for one, other in combinations(PARTS, 2):
            assert not parts[one] & parts[other], (setup, one, other)
        assert set.union(*parts.values()) == everything
    assert [sizes['s0', part] for part in PARTS] == [800, 40, 160]
    assert [sizes['s1', part] for part in PARTS] == [700, 100, 200]
    assert [sizes['s2', part] for part in PARTS] == [1000, 1000, 1000]
    assert [sizes['s3', part] for part in PARTS] == [750, 100, 150]
    assert setup_part('s1', 'test').subjects == (8, 9)
    assert setup_part('s2', 'test').serials == (SERIALS[-1],)


def test_setups_need_all_sequences_of_their_subjects(dexycb: DexYCBMiniature, model: AnnotationModel) -> None:
    with pytest.raises(DataSetError, match='subject 01 has 1 of 100 sequences'):
        chosen_views(DexYCBLayout(dexycb.root), 's0/train')
    with pytest.raises(ValueError, match='s0, s1, s2, s3'):
        chosen_views(DexYCBLayout(dexycb.root), 's7/train')
    opened, refused = open_sequences(dexycb.root, 'all', model)
    assert {one.name for one in opened} == {f'{folder}/{serial}' for folder in SEQUENCES for serial in CAMERAS}
    assert not refused


def test_positions_count_among_the_sorted_sequences(tmp_path: Path) -> None:
    for subject in range(1, 11):
        for position in range(100):
            (tmp_path / f'20200{subject:03d}-subject-{subject:02d}' / f'20200709_{position:06d}').mkdir(parents=True)
    (tmp_path / 'calibration').mkdir()
    views = chosen_views(DexYCBLayout(tmp_path), 's3/test')
    assert len(views) == 1200
    assert {int(folder.name[-6:]) // 5 for folder, _ in views} == {7, 11, 15}


def test_other_folders_among_the_sequences_shift_no_position(tmp_path: Path) -> None:
    subject = tmp_path / '20200709-subject-01'
    for name in ('20200709_141754', '20200709_141841', '.thumbnails', '20200709_141754 (copy)', '__MACOSX'):
        (subject / name).mkdir(parents=True)
    assert [folder.name for folder in DexYCBLayout(tmp_path).sequences[1]] == ['20200709_141754', '20200709_141841']


def test_views_that_cannot_be_opened_are_listed(dexycb_copy: Path, model: AnnotationModel) -> None:
    folder = next(iter(SEQUENCES))
    (dexycb_copy / folder / 'meta.yml').write_text('num_frames: many\n')
    opened, refused = open_sequences(dexycb_copy, 'all', model)
    assert len(opened) == len(CAMERAS)
    assert {error.path.name for error in refused} == {'meta.yml'}
