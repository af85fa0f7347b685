"""``hand3r-lab evaluate --data`` scores hands on the data sets' own terms."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from hand3r_lab.cli import main
from hand3r_lab.datasets import dexycb as dexycb_reader
from hand3r_lab.datasets import hoi4d as hoi4d_reader
from hand3r_lab.datasets.samples import DataSetError, SkipLog
from hand3r_lab.evaluation import annotated
from hand3r_ros.hand_model.data import load_mano
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.results import HandResult


@pytest.fixture(scope='module')
def right(mano_folder):
    return load_mano(mano_folder)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    torch.manual_seed(0)
    save_network(folder / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'mano'})
    return folder


def frames_of(reader, root, model, right, skipped):
    opened, _ = reader.open_sequences(root, 'all', model)
    return {s.name: list(annotated.evaluated(s, right, 100, skipped).frames) for s in opened}


def test_visible_fractions_from_labels_are_those_of_the_rendered_truth(dexycb, model, right):
    skipped, compared = SkipLog(), 0
    for name, frames in frames_of(dexycb_reader, dexycb.root, model, right, skipped).items():
        folder, _, serial = name.rpartition('/')
        for frame in frames:
            truth = {hand.side: hand for hand in dexycb.truth[folder, serial, frame.index].hands}
            for hand in frame.hands:
                assert hand.visible_fraction == pytest.approx(truth[hand.side].visible_fraction, abs=0.03)
                np.testing.assert_allclose(hand.box, truth[hand.side].box, atol=0.1)
                compared += 1
    assert compared >= 6
    assert not skipped.summary()


def test_what_lies_beyond_the_border_of_the_image_is_hidden(dexycb, model, right):
    sequence = dexycb_reader.open_sequences(dexycb.root, 'all', model)[0][0]
    hand, camera = sequence.hands(0)[0], sequence.intrinsics
    beyond = dataclasses.replace(camera, cx=camera.cx - hand.keypoints_image[9, 0])  # about half of it inside
    inside = annotated.visible_fraction(hand, camera, right, 1000)
    assert annotated.visible_fraction(hand, beyond, right, 1000) == pytest.approx(inside, rel=0.01)


def test_corrupt_frames_are_left_out_and_listed(dexycb_copy, model, right):
    picture = next(dexycb_copy.glob('*/*/*/color_000001.jpg'))
    picture.write_bytes(b'no picture')
    skipped = SkipLog()
    frames = frames_of(dexycb_reader, dexycb_copy, model, right, skipped)
    assert sorted({len(found) for found in frames.values()}) == [2, 3]
    assert any([frame.index for frame in found] == [0, 2] for found in frames.values())
    assert str(picture) in skipped.summary()


def test_hands_without_a_label_of_their_pixels_are_of_unknown_visibility(hoi4d, model, right):
    frames = [f for found in frames_of(hoi4d_reader, hoi4d.root, model, right, SkipLog()).values() for f in found]
    hands = [hand for frame in frames for hand in frame.hands]
    assert hands
    assert all(np.isnan(hand.visible_fraction) and hand.is_visible(0.25) for hand in hands)


@pytest.mark.parametrize('side', list(HandSide))
def test_the_true_hand_scores_zero_on_the_data_sets_keypoints(dexycb, model, right, side):
    layer = HandLayer(right)
    hand = next(
        hand
        for sequence in dexycb_reader.open_sequences(dexycb.root, 'all', model)[0]
        for hand in sequence.hands(0)
        if hand.side == side
    )
    with torch.inference_mode():
        mesh = layer(
            torch.from_numpy(hand.rotations).float()[None],
            torch.from_numpy(hand.betas).float()[None],
            torch.tensor([side == HandSide.RIGHT]),
        )
    keypoints, vertices = (value[0].numpy() + hand.wrist_camera for value in (mesh.keypoints, mesh.vertices))
    predicted = hand_result(side, keypoints, vertices)
    corrected = annotated.with_toolkit_fingertips(predicted)
    assert np.abs(keypoints - hand.keypoints_camera).max() > 1e-3
    np.testing.assert_allclose(corrected.keypoints_camera, hand.keypoints_camera, atol=2e-4)
    np.testing.assert_allclose(corrected.keypoints_world, hand.keypoints_camera + 1.0, atol=2e-4)


def hand_result(side, keypoints, vertices):
    none = np.zeros(0)
    return HandResult(
        side=side,
        track_id=0,
        score=1.0,
        box=none,
        vertices_camera=vertices,
        keypoints_camera=keypoints,
        vertices_world=vertices + 1.0,
        keypoints_world=keypoints + 1.0,
        keypoints_image=none,
        T_camera_wrist=none,
        T_world_wrist=none,
        global_orient=none,
        hand_pose=none,
        betas=none,
        translation=none,
    )


def test_the_command_measures_dexycb(dexycb, weights, mano_folder, tmp_path, capsys):
    out = tmp_path / 'numbers.json'
    options = ['--data', dexycb.root, '--split', 'all', '--mano', mano_folder, '--weights-dir', weights, '--tables']
    main(['evaluate', *map(str, options), '--sequences', '2', '--frames', '2', '--out', str(out)])
    numbers = json.loads(out.read_text())['rows']
    assert {'PA-MPJPE mm', 'C-MPJPE mm', 'depth AbsRel', 'hands'} <= set(numbers['ours'])
    assert 'camera ATE cm' in numbers['ours, network pose']
    assert any('hidden' in name for name in numbers)
    text = capsys.readouterr().out
    assert 'DexYCB, all: 2 of 4 sequences' in text
    assert 'ours, DexYCB, all' in text


def test_the_command_measures_hoi4d(hoi4d, weights, mano_folder, tmp_path, capsys):
    out = tmp_path / 'numbers.json'
    options = ['--data', hoi4d.root, '--split', 'all', '--mano', mano_folder, '--weights-dir', weights]
    main(['evaluate', *map(str, options), '--sequences', '1', '--frames', '2', '--out', str(out)])
    numbers = json.loads(out.read_text())['rows']
    assert {'PA-MPJPE mm', 'C-MPJPE mm', 'depth AbsRel', 'hands'} <= set(numbers['ours'])
    assert not any('hidden' in name for name in numbers)
    assert 'HOI4D, all: 1 of' in capsys.readouterr().out


def test_a_folder_of_something_else_is_refused(weights, mano_folder, tmp_path):
    with pytest.raises(DataSetError, match='no data set of a known kind'):
        annotated.evaluate_data_set(tmp_path, None, mano_folder, 'tiny', weights, 1, 1)
