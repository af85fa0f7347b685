"""HOI4D as published: videos, 16-bit depth, hand poses and camera paths give back the recorded scene."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from miniature_dexycb import annotated_keypoints
from miniature_hoi4d import ABSENT, COMPLETE, FRAMES, SHARED, WITHOUT_HANDS, HOI4DMiniature, camera_log, write_decoded
from scipy.spatial import cKDTree

from hand3r_lab.datasets.camera_direction import direction_of
from hand3r_lab.datasets.hoi4d import PUBLISHED_SIZE, HOI4DSequence, VideoPool, open_sequences
from hand3r_lab.datasets.hoi4d_layout import HOI4DLayout, split_of
from hand3r_lab.datasets.hoi4d_poses import read_camera_log, read_camera_matrix, read_hand_pose
from hand3r_lab.datasets.mano_annotations import AnnotationModel
from hand3r_lab.datasets.samples import CorruptSampleError, DataSetError
from hand3r_lab.datasets.videos import VideoFrames
from hand3r_ros.geometry import Intrinsics, invert_transform, project_points, unproject_depth
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide

LOG = f'HOI4D_annotations/{COMPLETE}/3Dseg/output.log'
COLOR = f'HOI4D_release/{COMPLETE}/align_rgb/image.mp4'
DEPTH = f'HOI4D_release/{COMPLETE}/align_depth/depth_video.avi'
POSE = f'handpose/refinehandpose_right/{COMPLETE}/2.pickle'


def recording(root: Path, model: AnnotationModel, name: str = COMPLETE) -> HOI4DSequence:
    return HOI4DSequence(HOI4DLayout(root), name, model, VideoPool())


@pytest.mark.parametrize('index', [0, 3, FRAMES - 1])
def test_frames_are_those_of_the_scene(hoi4d: HOI4DMiniature, model: AnnotationModel, index: int) -> None:
    frame, truth = recording(hoi4d.root, model).frame(index), hoi4d.truth[index]
    assert frame.depth is not None and frame.T_world_camera is not None
    np.testing.assert_allclose(frame.depth, truth.depth, atol=0.00051)  # whole millimetres
    np.testing.assert_allclose(frame.T_world_camera, truth.T_world_camera, atol=1e-9)
    np.testing.assert_allclose(frame.intrinsics.matrix(), truth.intrinsics.matrix(), atol=1e-6)
    errors = [np.abs(frame.image.astype(int) - other.image).mean() for other in hoi4d.truth]
    assert errors[index] < 6.0 and int(np.argmin(errors)) == index
    assert {hand.side for hand in frame.hands} == {hand.side for hand in truth.hands} == set(HandSide)
    for expected in truth.hands:
        (hand,) = [one for one in frame.hands if one.side == expected.side]
        np.testing.assert_allclose(hand.wrist_camera, expected.wrist_camera, atol=1e-5)
        np.testing.assert_allclose(hand.vertices_camera, expected.vertices_camera, atol=2e-5)
        np.testing.assert_allclose(hand.keypoints_camera, annotated_keypoints(expected), atol=2e-5)
        rotations = expected.rotations if hand.side == HandSide.RIGHT else mirror_rotations(expected.rotations)
        np.testing.assert_allclose(hand.rotations, rotations, atol=1e-5)
        pixels = project_points(annotated_keypoints(expected), truth.intrinsics)
        np.testing.assert_allclose(hand.keypoints_image, pixels, atol=0.02)


def test_published_keypoints_are_the_projected_ones(hoi4d: HOI4DMiniature, model: AnnotationModel) -> None:
    pose = read_hand_pose(hoi4d.root / POSE)
    sequence = recording(hoi4d.root, model)
    camera = sequence.intrinsics(*PUBLISHED_SIZE)
    (hand,) = [one for one in sequence.hands(2) if one.side == HandSide.RIGHT]
    np.testing.assert_allclose(project_points(hand.keypoints_camera, camera), pose.keypoints_image, atol=0.05)


def test_depth_of_hand_pixels_lies_on_the_mesh(hoi4d: HOI4DMiniature, model: AnnotationModel) -> None:
    frame, truth = recording(hoi4d.root, model).frame(4), hoi4d.truth[4]
    assert frame.depth is not None
    points = unproject_depth(frame.depth, frame.intrinsics)
    for hand in frame.hands:
        (instance,) = [one.instance_id for one in truth.hands if one.side == hand.side]
        distance, _ = cKDTree(hand.vertices_camera).query(points[truth.segmentation == instance])
        assert len(distance) > 200
        assert np.percentile(distance, 95) < 0.01


def test_frames_can_be_read_in_any_order(hoi4d: HOI4DMiniature, model: AnnotationModel) -> None:
    sequence = recording(hoi4d.root, model)
    for index in (6, 1, 2, 7, 0):
        depth = sequence.frame(index).depth
        np.testing.assert_allclose(depth, hoi4d.truth[index].depth, atol=0.00051)


def test_decoded_images_are_used_when_they_are_there(
    hoi4d: HOI4DMiniature, hoi4d_copy: Path, model: AnnotationModel
) -> None:
    write_decoded(hoi4d_copy / 'HOI4D_release' / COMPLETE, hoi4d.truth)
    (hoi4d_copy / COLOR).unlink()
    (hoi4d_copy / DEPTH).unlink()
    sequence = recording(hoi4d_copy, model)
    assert len(sequence) == FRAMES
    frame = sequence.frame(5)
    np.testing.assert_allclose(frame.depth, hoi4d.truth[5].depth, atol=0.00051)
    assert np.abs(frame.image.astype(int) - hoi4d.truth[5].image).mean() < 4.0


def test_everything_in_one_folder_is_read_too(hoi4d_copy: Path, model: AnnotationModel) -> None:
    for folder in ('HOI4D_annotations', 'HOI4D_release'):
        for path in sorted((hoi4d_copy / folder).rglob('*')):
            target = hoi4d_copy / path.relative_to(hoi4d_copy / folder)
            if path.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
    frame = recording(hoi4d_copy, model).frame(0)
    assert len(frame.hands) == 2 and frame.T_world_camera is not None


def test_frames_without_pose_files_give_no_hands(hoi4d: HOI4DMiniature, model: AnnotationModel) -> None:
    sequence = recording(hoi4d.root, model, WITHOUT_HANDS)
    assert sequence.labelled_frames() == []
    assert sequence.frame(0).hands == ()
    assert recording(hoi4d.root, model).labelled_frames() == list(range(FRAMES))


class Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.trace}',)


def test_a_malicious_pickle_is_refused_and_not_executed(
    hoi4d_copy: Path, tmp_path: Path, model: AnnotationModel
) -> None:
    trace = tmp_path / 'executed'
    content = pickle.loads((hoi4d_copy / POSE).read_bytes())  # noqa: S301 (written by this test)
    (hoi4d_copy / POSE).write_bytes(pickle.dumps({**content, 'poseCoeff': Malicious(trace)}))
    with pytest.raises(CorruptSampleError, match=r'2\.pickle.*system'):
        recording(hoi4d_copy, model).frame(2)
    assert not trace.exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'poseCoeff': np.array([0.5], np.float32)}, r'poseCoeff must have shape \(48,\)'),
        ({'beta': np.full(10, np.nan, np.float32)}, 'beta holds values that are not finite'),
        ({'trans': np.array([0.0, 0.0, -0.3], np.float32)}, 'behind the camera'),
        ({'trans': 'here'}, 'trans'),
    ],
)
def test_impossible_poses_are_named(hoi4d_copy: Path, change: dict, message: str) -> None:
    content = pickle.loads((hoi4d_copy / POSE).read_bytes())  # noqa: S301 (written by this test)
    (hoi4d_copy / POSE).write_bytes(pickle.dumps({**content, **change}))
    with pytest.raises(CorruptSampleError, match=message):
        read_hand_pose(hoi4d_copy / POSE)


def test_poses_may_lie_in_columns_or_rows(hoi4d_copy: Path) -> None:
    content = pickle.loads((hoi4d_copy / POSE).read_bytes())  # noqa: S301 (written by this test)
    expected = read_hand_pose(hoi4d_copy / POSE)
    (hoi4d_copy / POSE).write_bytes(pickle.dumps({**content, 'poseCoeff': content['poseCoeff'][None]}))
    np.testing.assert_array_equal(read_hand_pose(hoi4d_copy / POSE).axis_angle, expected.axis_angle)


@pytest.mark.parametrize('name', [COLOR, DEPTH])
def test_damaged_videos_are_named(hoi4d_copy: Path, model: AnnotationModel, name: str) -> None:
    (hoi4d_copy / name).write_bytes(b'no video at all' * 100)
    with pytest.raises(CorruptSampleError, match=Path(name).name):
        recording(hoi4d_copy, model).frame(0)


def test_a_truncated_depth_video_loses_only_its_end(hoi4d_copy: Path) -> None:
    path = hoi4d_copy / DEPTH
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    frames = VideoFrames(path, is_depth=True, frame_rate=15.0)
    assert frames.read(0).shape == (270, 480)
    with pytest.raises(CorruptSampleError, match='cannot be decoded'):
        frames.read(FRAMES - 1)


def test_a_video_of_another_kind_is_no_depth(hoi4d_copy: Path, model: AnnotationModel) -> None:
    (hoi4d_copy / DEPTH).write_bytes((hoi4d_copy / COLOR).read_bytes())
    with pytest.raises(CorruptSampleError, match='16-bit'):
        recording(hoi4d_copy, model).frame(0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda text: text[: len(text) // 2], 'whole poses|four numbers'),
        (lambda text: text.replace('0.', 'x.', 1), 'not a camera trajectory'),
        (lambda text: '\n'.join(['0 0 1', *['1 1 1 1'] * 4]), 'pose 0 is no rigid motion'),
        (lambda text: '', 'empty'),
    ],
)
def test_damaged_camera_paths_are_named(hoi4d_copy: Path, change, message: str) -> None:
    path = hoi4d_copy / LOG
    path.write_text(change(path.read_text()))
    with pytest.raises(CorruptSampleError, match=message):
        read_camera_log(path)


def test_the_depth_images_tell_the_direction_of_the_path(hoi4d: HOI4DMiniature) -> None:
    poses = read_camera_log(hoi4d.root / LOG)
    depth = VideoFrames(hoi4d.root / DEPTH, is_depth=True, frame_rate=15.0)
    matrix = read_camera_matrix(hoi4d.root / 'camera_params/ZY20210800001/intrin.npy')
    camera = Intrinsics(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *PUBLISHED_SIZE)
    assert direction_of(poses, depth, camera) == 'camera to world'
    assert direction_of(invert_transform(poses), depth, camera) == 'world to camera'
    still = np.repeat(poses[:1], FRAMES, axis=0)
    assert direction_of(still, depth, camera) == 'undecided'


def test_a_path_as_open3d_writes_it_is_camera_to_world(tmp_path: Path) -> None:
    pose = np.array([[0.0, -1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 2.0], [0.0, 0.0, 1.0, 3.0], [0.0, 0.0, 0.0, 1.0]])
    (tmp_path / 'output.log').write_text(camera_log([pose]))
    np.testing.assert_array_equal(read_camera_log(tmp_path / 'output.log'), pose[None])


def test_shared_sequences_are_in_no_split_and_splits_are_disjoint(hoi4d: HOI4DMiniature) -> None:
    layout = HOI4DLayout(hoi4d.root)
    assert layout.lists is not None
    assert layout.lists.shared == (SHARED,)
    assert layout.sequences == tuple(sorted((COMPLETE, WITHOUT_HANDS, SHARED)))
    assert {name: layout.split(name) for name in ('train', 'val', 'test')} == {
        'train': [COMPLETE],
        'val': [WITHOUT_HANDS],
        'test': [],  # SHARED would be here
    }
    assert split_of(SHARED) == 'test' and split_of(ABSENT) == 'train'
    assert layout.split('all') == list(layout.sequences)
    with pytest.raises(DataSetError, match='train, val, test or all'):
        layout.split('s0/train')


def test_sequences_that_cannot_be_opened_are_listed(hoi4d_copy: Path, model: AnnotationModel) -> None:
    (hoi4d_copy / COLOR).write_bytes(b'no video')
    opened, refused = open_sequences(hoi4d_copy, 'all', model)
    assert [one.name for one in opened] == [WITHOUT_HANDS, SHARED]
    assert [error.path.name for error in refused] == ['image.mp4']
