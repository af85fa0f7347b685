"""Training draws the same kinds of batches from every data set, and skips, counts and lists what it cannot use."""

from __future__ import annotations

import dataclasses
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from miniature_dexycb import CAMERAS, SEQUENCES, DexYCBMiniature
from miniature_hoi4d import COMPLETE, HOI4DMiniature

from hand3r_lab.datasets.mano_annotations import AnnotationModel
from hand3r_lab.datasets.samples import CorruptSampleError, DataSetError, SkipLog
from hand3r_lab.training.annotated_batches import AnnotatedClipDataset, AnnotatedHandDataset
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import IMAGE_MEAN, IMAGE_STD
from hand3r_lab.training.run import run_training
from hand3r_lab.training.sources import HandSource, hand_model_of, listed_skips, open_clips, open_hands
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.pose import matrix_from_pose
from hand3r_ros.network.presets import preset


def config(data: Path, mano: Path, **fields: object) -> TrainingConfig:
    return TrainingConfig('hand', data=str(data), hand_model=str(mano), split='all', **fields)  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_crops_show_their_hands(batch, layer: HandLayer) -> None:
    """A weak-perspective camera nearly carries the posed model onto the 2D keypoints, its mirror image does not."""
    right = torch.ones(len(batch.crops), dtype=torch.bool)
    posed = layer(batch.rotations, batch.betas, right).keypoints.numpy()
    for points, pixels in zip(posed[..., :2], batch.keypoints_crop.numpy(), strict=True):
        error = weak_perspective_error(points, pixels)
        assert error < 0.04  # of the crop; perspective is the rest
        assert error < 0.5 * weak_perspective_error(points * [-1.0, 1.0], pixels)


def weak_perspective_error(points: np.ndarray, pixels: np.ndarray) -> float:
    centred, target = points - points.mean(0), pixels - pixels.mean(0)
    scale = max((centred * target).sum() / np.square(centred).sum(), 0.0)
    return float(np.linalg.norm(scale * centred - target, axis=-1).mean())


@pytest.mark.parametrize('name', ['dexycb', 'hoi4d'])
def test_hand_batches(name: str, request: pytest.FixtureRequest, mano_folder: Path) -> None:
    settings = config(request.getfixturevalue(name).root, mano_folder)
    hands = open_hands(settings)
    assert isinstance(hands, AnnotatedHandDataset)
    assert hands.hand_model_id == hand_model_of(settings).id == 'mano'
    batch = hands.batch(10, generator())
    size = preset('tiny').hand.crop_size
    assert batch.crops.shape == (10, 3, size, size)
    assert batch.keypoints_crop.abs().max() < 0.75
    assert_crops_show_their_hands(batch, HandLayer(hand_model_of(settings)))
    again = open_hands(settings).batch(10, generator())
    for one, other in zip(dataclasses.astuple(batch), dataclasses.astuple(again), strict=True):
        assert torch.equal(one, other)
    rotations, betas = hands.parameters(60, generator())
    assert rotations.shape == (60, 16, 3, 3) and betas.shape == (60, 10)
    assert hands.skipped.counts  # a missing label or the sequence without hands was drawn and counted


def test_crops_contain_the_picture_of_the_hand(dexycb: DexYCBMiniature, mano_folder: Path) -> None:
    """Without augmentation, the pixel at a keypoint of the crop is the pixel of that keypoint in the image."""
    model = AnnotationModel.load(mano_folder)
    hands = open_hands(config(dexycb.root, mano_folder))
    assert isinstance(hands, AnnotatedHandDataset)
    for sequence in hands.sequences:
        pixels, keypoints, *_ = hands._crop(sequence, 0, 0.0)  # type: ignore[misc]
        frame = sequence.frame(0)
        (hand,) = frame.hands
        right = hand.side.name == 'RIGHT'
        wrist = hand.keypoints_image[0]
        size = pixels.shape[-1]
        column, row = np.rint((keypoints[0] / 1.5 + 0.5) * size).astype(int)
        seen = pixels[:, row - 2 : row + 3, column - 2 : column + 3].mean((1, 2)) * 255.0
        u, v = np.rint(wrist).astype(int)
        expected = frame.image[v - 2 : v + 3, u - 2 : u + 3].mean((0, 1))
        assert np.abs(seen - expected).max() < 15.0, (sequence.name, right)
    assert model.hand_model_id == 'mano'


@pytest.mark.parametrize('name', ['dexycb', 'hoi4d'])
def test_clips(name: str, request: pytest.FixtureRequest, mano_folder: Path) -> None:
    miniature = request.getfixturevalue(name)
    clips = open_clips(config(miniature.root, mano_folder, clip_frames=3))
    assert isinstance(clips, AnnotatedClipDataset)
    frames = clips.batch(2, generator(1), augment=False)
    assert len(frames) == 3
    for frame in frames:
        batch, _, height, width = frame.image.shape
        assert (batch, width) == (2, 224) and height % 16 == 0
        assert frame.points.shape == (2, height, width, 3) and frame.valid.float().mean() > 0.8
        assert frame.image.min() >= -1.0 and frame.image.max() <= 1.0
    identity = matrix_from_pose(frames[0].camera_pose)
    torch.testing.assert_close(identity, torch.eye(4).expand(2, 4, 4), atol=1e-6, rtol=0.0)
    moved = max(float(frame.camera_pose[:, :3].norm(dim=-1).max()) for frame in frames)
    assert moved < 1e-6 if name == 'dexycb' else moved > 0.003  # DexYCB's cameras stand still
    hands = [frame for frame in frames if len(frame.hand_wrist)]
    assert hands
    for frame in hands:
        assert_wrists_lie_behind_their_pixels(frame)


def assert_wrists_lie_behind_their_pixels(frame) -> None:
    """The metric pointmap at the hand agrees with the metric wrist: both come through different files."""
    for box, wrist, image in zip(frame.hands.boxes, frame.hand_wrist, frame.hands.batch_index, strict=True):
        x0, y0, x1, y1 = (round(float(edge)) for edge in box)
        height, width = frame.points.shape[1:3]
        region = frame.points[image, max(y0, 0) : min(y1 + 1, height), max(x0, 0) : min(x1 + 1, width)].reshape(-1, 3)
        assert (region - wrist).norm(dim=-1).min() < 0.06


def test_points_of_two_frames_agree_in_the_clips_world(hoi4d: HOI4DMiniature, mano_folder: Path) -> None:
    clips = open_clips(config(hoi4d.root, mano_folder, clip_frames=4))
    first, *_, last = clips.batch(1, generator(3), augment=False)
    T_first_last = matrix_from_pose(last.camera_pose)[0].numpy()
    own = first.points[0].numpy().reshape(-1, 3)
    moved = last.points[0].numpy().reshape(-1, 3) @ T_first_last[:3, :3].T + T_first_last[:3, 3]
    from scipy.spatial import cKDTree

    good = cKDTree(own).query(moved[::7])[0]
    bad = cKDTree(own).query(last.points[0].numpy().reshape(-1, 3)[::7])[0]
    assert np.median(good) < 0.01 < 0.02
    assert np.median(good) < 0.7 * np.median(bad)


def test_corrupt_files_are_skipped_counted_and_listed(
    dexycb_copy: Path, mano_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = SEQUENCES
    for serial in CAMERAS:
        for path in (dexycb_copy / first / serial).glob('color_*'):
            path.write_bytes(path.read_bytes()[:3000])
    damaged = dexycb_copy / second / CAMERAS[0] / 'labels_000000.npz'
    damaged.write_bytes(b'broken')
    hands = open_hands(config(dexycb_copy, mano_folder))
    with pytest.raises(KeyboardInterrupt), listed_skips(hands):
        batch = hands.batch(40, generator())
        raise KeyboardInterrupt
    assert len(batch.crops) == 40
    listed = capsys.readouterr().err
    assert 'color_000000.jpg: truncated' in listed and 'labels_000000.npz: cannot be read as .npz' in listed
    assert hands.skipped.counts['corrupt or missing file'] >= len(hands.skipped.corrupt) > 3


def test_files_that_workers_skip_are_listed_too(
    dexycb_copy: Path, mano_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr('hand3r_lab.training.hand_stage.MEAN_SAMPLES', 1)
    for path in dexycb_copy.glob('*/*/*/color_00000[01].jpg'):
        path.write_bytes(path.read_bytes()[:3000])
    run_training(config(dexycb_copy, mano_folder, out=str(tmp_path), steps=2, batch=4, warmup_steps=1, workers=2))
    listed = capsys.readouterr().err
    assert 'drawn samples: corrupt or missing file' in listed
    assert 'color_000001.jpg: truncated' in listed


def test_a_skip_log_survives_copies_and_other_processes() -> None:
    log = SkipLog()
    log.add('too dark')
    with multiprocessing.get_context('fork').Pool(2, initializer=_inherit, initargs=(log,)) as pool:
        pool.map(_skip, range(40))
    assert log.counts == {'too dark': 1, 'corrupt or missing file': 40}
    assert len(log.corrupt) == 40 and log.corrupt['/data/7.jpg'] == 'file 7'
    copy = pickle.loads(pickle.dumps(log))  # noqa: S301 (written by this test)
    copy.add('too dark')
    assert copy.counts['too dark'] == 2 and log.counts['too dark'] == 1


_inherited: list[SkipLog] = []


def _inherit(log: SkipLog) -> None:
    _inherited.append(log)


def _skip(number: int) -> None:
    _inherited[0].add_corrupt(CorruptSampleError(Path(f'/data/{number}.jpg'), f'file {number}'))


def test_a_data_set_without_anything_usable_stops_with_the_reasons(dexycb_copy: Path, mano_folder: Path) -> None:
    for path in dexycb_copy.rglob('color_*'):
        path.unlink()
    with pytest.raises(DataSetError, match=r'gave no usable hand[\s\S]*color_\d+\.jpg: missing'):
        open_hands(config(dexycb_copy, mano_folder)).batch(2, generator())


def test_hand_models_and_splits_that_do_not_fit_are_refused(
    dexycb: DexYCBMiniature, hoi4d: HOI4DMiniature, mano_folder: Path
) -> None:
    settings = config(dexycb.root, mano_folder)
    with pytest.raises(DataSetError, match='annotated with MANO: set hand_model'):
        open_hands(dataclasses.replace(settings, hand_model='open_hand'))
    with pytest.raises(DataSetError, match='1 of 100 sequences'):
        open_hands(dataclasses.replace(settings, split=''))
    with pytest.raises(DataSetError, match='train, val, test or all'):
        open_hands(dataclasses.replace(settings, data=str(hoi4d.root), split='s0/train'))
    with pytest.raises(DataSetError, match='no data set of a known kind'):
        open_clips(dataclasses.replace(settings, data=str(dexycb.root / 'calibration' / 'intrinsics')))


def test_hoi4d_trains_on_its_own_split(hoi4d: HOI4DMiniature, mano_folder: Path) -> None:
    hands = open_hands(dataclasses.replace(config(hoi4d.root, mano_folder), split=''))
    assert isinstance(hands, AnnotatedHandDataset)
    assert [sequence.name for sequence in hands.sequences] == [COMPLETE]


def test_workers_read_videos_that_were_open_before_they_were_forked(hoi4d: HOI4DMiniature, mano_folder: Path) -> None:
    hands = open_hands(dataclasses.replace(config(hoi4d.root, mano_folder), split='train'))
    expected = hands.batch(2, generator()).crops  # opens the decoder here
    with multiprocessing.get_context('fork').Pool(1, initializer=_inherit_hands, initargs=(hands,)) as pool:
        crops = pool.apply_async(_two_crops).get(timeout=60)
    np.testing.assert_array_equal(crops, expected.numpy())


_inherited_hands: list[HandSource] = []


def _inherit_hands(hands: HandSource) -> None:
    torch.set_num_threads(1)  # as torch's own data workers do; a team of threads does not survive the fork
    _inherited_hands.append(hands)


def _two_crops() -> np.ndarray:
    return _inherited_hands[0].batch(2, generator()).crops.numpy()


def test_clips_need_a_camera_path(hoi4d_copy: Path, mano_folder: Path) -> None:
    (hoi4d_copy / 'HOI4D_annotations' / COMPLETE / '3Dseg/output.log').unlink()
    settings = dataclasses.replace(config(hoi4d_copy, mano_folder), split='train')
    with pytest.raises(DataSetError, match='has a camera path'):
        open_clips(settings)
    assert len(open_hands(settings).batch(1, generator()).crops) == 1


def test_the_hand_stage_trains_on_a_public_data_set(
    dexycb: DexYCBMiniature, mano_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('hand3r_lab.training.hand_stage.MEAN_SAMPLES', 8)
    settings = config(dexycb.root, mano_folder, out=str(tmp_path), steps=2, batch=4, warmup_steps=1)
    run_training(settings)
    stream = torch.load(tmp_path / 'hand' / 'checkpoint.pt', weights_only=True)['module']
    assert all(bool(torch.isfinite(parameter).all()) for parameter in stream.values())


def test_statistics_of_crops_are_the_networks(dexycb: DexYCBMiniature, mano_folder: Path) -> None:
    batch = open_hands(config(dexycb.root, mano_folder)).batch(4, generator(), augmentation=0.0)
    levels = batch.crops * IMAGE_STD + IMAGE_MEAN
    assert levels.min() >= -1e-5 and levels.max() <= 1.0 + 1e-5
