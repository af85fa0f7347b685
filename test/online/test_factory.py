"""From weights on disk to results, and errors that say what is wrong with the weights or the machine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.data import HandModelMismatchError
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.hand_model.unpickling import HandModelFileError
from hand3r_ros.network.checkpoints import WeightsError, save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import DetectionConfig, PlacementConfig, ReconstructorConfig
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.results import CameraFrame, HandDetection

HANDS = (
    HandDetection(np.array([200.0, 200, 280, 300]), HandSide.LEFT, 0.9),
    HandDetection(np.array([400.0, 200, 480, 300]), HandSide.RIGHT, 0.8),
)


@pytest.fixture(scope='module')
def weights_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    torch.manual_seed(0)
    save_network(folder / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'open_hand'})
    return folder


def frames(count=3):
    base = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    image = np.kron(base, np.ones((8, 8, 1), np.uint8))
    camera = Intrinsics.from_field_of_view(60.0, 640, 480)
    return [CameraFrame(np.roll(image, i, 1), i * 10**8, camera, HANDS if i % 2 == 0 else ()) for i in range(count)]


@pytest.mark.parametrize(
    ('pose_source', 'translation', 'precision'),
    [('network', 'auto', 'float32'), ('geometric', 'aligned', 'float32'), ('network', 'network', 'bfloat16')],
)
def test_random_weights_run_in_every_mode(weights_dir, pose_source, translation, precision):
    config = ReconstructorConfig(
        weights_dir=weights_dir,
        device='cpu',
        pose_source=pose_source,
        precision=precision,
        placement=PlacementConfig(translation=translation),
    )
    reconstructor = build_reconstructor(config)
    reconstructor.warm_up()
    assert reconstructor.session_id == 1
    results = [reconstructor.process(frame) for frame in frames()]
    assert [len(result.seen_hands) for result in results] == [2, 0, 2]
    for result in results:
        assert np.isfinite(result.points_camera).all()
        assert (result.confidence >= 1.0).all()
        for hand in result.hands:
            assert hand.vertices_world.shape == (778, 3)
            assert np.isfinite(hand.vertices_world).all()
    assert {hand.track_id for hand in results[0].hands} == {1, 2}


def test_the_state_is_carried_from_frame_to_frame(weights_dir):
    config = ReconstructorConfig(weights_dir=weights_dir, device='cpu')
    reconstructor = build_reconstructor(config)
    first = reconstructor.process(frames()[0])
    second = reconstructor.process(CameraFrame(frames()[0].image, 10**8, frames()[0].intrinsics, HANDS))
    assert not np.allclose(first.points_camera, second.points_camera, atol=1e-7)
    reconstructor.reset('again')
    again = reconstructor.process(frames()[0])
    assert np.array_equal(first.points_camera, again.points_camera)


def test_warming_up_touches_no_session(weights_dir):
    config = ReconstructorConfig(weights_dir=weights_dir, device='cpu')
    cold, warm = build_reconstructor(config), build_reconstructor(config)
    cold.process(frames()[0])
    expected = cold.process(frames()[2])
    warm.process(frames()[0])
    warm.warm_up()
    assert np.array_equal(warm.process(frames()[2]).points_camera, expected.points_camera)


def test_auto_takes_the_pose_source_that_the_weights_recommend(weights_dir, tmp_path):
    assert build_reconstructor(ReconstructorConfig(weights_dir=weights_dir, device='cpu')).pose_source == 'network'
    metadata = {'preset': 'tiny', 'hand_model': 'open_hand', 'pose_source': 'geometric'}
    save_network(tmp_path / 'tiny.safetensors', Hand3R(preset('tiny')), metadata)
    config = ReconstructorConfig(weights_dir=tmp_path, device='cpu')
    recommended, chosen = build_reconstructor(config), build_reconstructor(replace(config, pose_source='network'))
    assert (recommended.pose_source, chosen.pose_source) == ('geometric', 'network')
    recommended.reconfigure(replace(config, max_hands=1))  # another setting must not touch the session
    assert (recommended.pose_source, recommended.session_id) == ('geometric', 1)
    # The source is really used: features are tracked in images, the network's pose is not.
    image = frames()[0].image
    still = [recommended.process(CameraFrame(image, i * 10**8, frames()[0].intrinsics, ())) for i in range(3)]
    assert np.allclose(still[2].T_world_camera, still[0].T_world_camera, atol=1e-6)
    moved = [chosen.process(CameraFrame(image, i * 10**8, frames()[0].intrinsics, ())) for i in range(3)]
    assert not np.allclose(moved[2].T_world_camera, moved[0].T_world_camera, atol=1e-6)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=str(tmp_path)):
        build_reconstructor(ReconstructorConfig(weights_dir=tmp_path))


def test_weights_of_another_hand_model_are_refused(tmp_path):
    weights_for_mano(tmp_path)
    with pytest.raises(
        HandModelMismatchError, match=r"tiny\.safetensors was made with the hand model 'mano'"
    ) as caught:
        build_reconstructor(ReconstructorConfig(weights_dir=tmp_path))
    assert 'hand_model:=mano' in str(caught.value) and '--hand-model mano' in str(caught.value)


def test_missing_weights_are_named_before_anything_else(tmp_path):
    for hand_model in ('open_hand', 'mano'):
        detection = DetectionConfig(detector='network')
        config = ReconstructorConfig('full', tmp_path, hand_model, detection=detection)
        with pytest.raises(WeightsError, match=r'full\.safetensors does not exist.*hand3r convert'):
            build_reconstructor(config)


def weights_for_mano(folder):
    save_network(folder / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'mano'})
    return folder


def test_a_missing_mano_file_is_named(tmp_path):
    path = tmp_path / 'MANO_RIGHT.pkl'
    with pytest.raises(HandModelFileError, match=str(path)):
        build_reconstructor(
            ReconstructorConfig(weights_dir=weights_for_mano(tmp_path), hand_model='mano', mano_dir=path)
        )


def test_what_the_machine_cannot_do_is_refused(weights_dir):
    with pytest.raises(ValueError, match='needs a GPU'):
        build_reconstructor(ReconstructorConfig(weights_dir=weights_dir, device='cpu', precision='float16'))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device 'cuda' is not available"):
            build_reconstructor(ReconstructorConfig(weights_dir=weights_dir, device='cuda'))


def test_mano_beside_the_weights_is_found(tmp_path):
    weights_for_mano(tmp_path)
    with pytest.raises(HandModelFileError, match=rf'no MANO_RIGHT\.pkl or MANO_RIGHT\.npz in {tmp_path}.*mano_dir'):
        build_reconstructor(ReconstructorConfig(weights_dir=tmp_path, hand_model='mano'))
