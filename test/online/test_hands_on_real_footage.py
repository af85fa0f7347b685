"""Hands on real photos and a real clip: found, told apart, and fitted to what is seen of them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from truth_network import hand_layer

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.mirror import mirror_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import DetectionConfig, MapConfig, PlacementConfig, ReconstructorConfig
from hand3r_ros.online.detection.mediapipe_hands import MediaPipeDetector
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import ArticulationSource, CameraFrame, PlacementSource, TrackingState


def detector_for(max_hands: int) -> MediaPipeDetector:
    return MediaPipeDetector.from_config(ReconstructorConfig(device='cpu', max_hands=max_hands))


def video_frames(path, step, limit):
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS) or 30.0
    index, frames = 0, []
    while len(frames) < limit:
        good, image = capture.read()
        if not good:
            break
        if index % step == 0:
            frames.append(CameraFrame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), int(index / rate * 1e9)))
        index += 1
    capture.release()
    return frames


def test_hands_are_found_in_photos_with_plausible_boxes(real_footage):
    detector = detector_for(max_hands=4)
    found = 0
    for path in sorted(real_footage.glob('*.jpg')):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for hand in detector.detect(CameraFrame(image, 0), ()):
            found += 1
            size = hand.box[2:] - hand.box[:2]
            assert (size > 10).all()
            assert size.max() < max(image.shape)
            assert 0.5 <= hand.score <= 1.0
    assert found >= 2


def test_the_waving_hand_is_a_right_hand_in_almost_every_frame(real_footage):
    detector = detector_for(max_hands=2)
    frames = video_frames(real_footage / 'hand_waving.mp4', step=5, limit=20)
    found = [detector.detect(frame, ()) for frame in frames]
    assert sum(len(hands) >= 1 for hands in found) >= 0.8 * len(frames)
    sides = [hand.side for hands in found for hand in hands]
    assert np.mean([side == HandSide.RIGHT for side in sides]) > 0.9


def test_a_mirrored_image_shows_the_other_side(real_footage):
    frame = video_frames(real_footage / 'hand_waving.mp4', step=30, limit=2)[1]
    mirrored = CameraFrame(np.ascontiguousarray(frame.image[:, ::-1]), 0)
    detector = detector_for(max_hands=1)
    assert detector.detect(frame, ())[0].side == HandSide.RIGHT
    assert detector.detect(mirrored, ())[0].side == HandSide.LEFT


def test_the_whole_chain_runs_on_a_real_clip(real_footage):
    """Uncalibrated, with untrained weights: what comes out is meaningless, but it must come out."""
    config = ReconstructorConfig(
        device='cpu',
        detection=DetectionConfig(detector='mediapipe', interval=4),
        placement=PlacementConfig(translation='aligned'),
        map=MapConfig(min_confidence=0.0),
        fallback_focal_px=600.0,
    )
    reconstructor = OnlineReconstructor(Hand3R(preset('tiny')), hand_layer(), make_detector(config), config)
    frames = video_frames(real_footage / 'hand_waving.mp4', step=6, limit=8)
    results = [reconstructor.process(frame) for frame in frames]
    assert [result.frame_index for result in results] == list(range(len(frames)))
    assert {result.state for result in results} == {TrackingState.UNCALIBRATED}
    assert all(np.isfinite(hand.vertices_world).all() for result in results for hand in result.hands)
    assert any(result.hands for result in results)
    assert len(reconstructor.map) > 0


def test_fitted_hands_lie_on_the_landmarks_of_a_real_hand(real_footage):
    """With untrained weights: nothing of the hand comes from the network."""
    width, height, focal = 1280, 720, 1150.0
    camera = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)
    config = ReconstructorConfig(
        device='cpu', detection=DetectionConfig(detector='mediapipe'), map=MapConfig(enabled=False)
    )
    reconstructor = OnlineReconstructor(Hand3R(preset('tiny')), hand_layer(), make_detector(config), config)
    expert = detector_for(max_hands=1)
    distances, shapes, ids, confidence = [], [], set(), []
    for frame in video_frames(real_footage / 'hand_waving.mp4', step=3, limit=25):
        (hand,) = reconstructor.process(replace(frame, intrinsics=camera)).hands
        landmarks = expert.detect(frame, ())[0].landmarks
        distances.append(np.linalg.norm(hand.keypoints_image - landmarks.pixels, axis=1).mean() * 640 / width)
        shapes.append(hand.betas)
        confidence.append(hand.keypoint_confidence)
        ids.add(hand.track_id)
        assert hand.articulation == ArticulationSource.LANDMARKS
        assert hand.placement.source == PlacementSource.LANDMARKS
        assert 0.3 < hand.T_camera_wrist[2, 3] < 1.2
        assert 0.0 < hand.placement.deviation < 0.2
    assert np.mean(distances) < 3.5  # px of an image 640 wide; of that 1 is where joints lie beside landmarks
    assert len(ids) == 1
    assert np.abs(np.diff(shapes, axis=0)[-5:]).max() < np.abs(np.diff(shapes, axis=0)[:5]).max()
    assert np.mean(confidence) > 0.5


def test_a_mirrored_real_hand_is_the_mirrored_fit(real_footage):
    width, height, focal = 1280, 720, 1150.0
    camera = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)
    frame = replace(video_frames(real_footage / 'hand_waving.mp4', step=30, limit=2)[1], intrinsics=camera)
    mirrored = replace(frame, image=np.ascontiguousarray(frame.image[:, ::-1]))
    hands = []
    for seen in (frame, mirrored):
        config = ReconstructorConfig(device='cpu', detection=DetectionConfig(detector='mediapipe'))
        reconstructor = OnlineReconstructor(Hand3R(preset('tiny')), hand_layer(), make_detector(config), config)
        (hand,) = reconstructor.process(seen).hands
        hands.append(hand)
    assert [hand.side for hand in hands] == [HandSide.RIGHT, HandSide.LEFT]
    difference = mirror_points(hands[1].vertices_camera) - hands[0].vertices_camera
    assert np.linalg.norm(difference, axis=1).mean() < 0.02


def test_a_hand_that_is_hidden_for_a_while_keeps_its_id(real_footage):
    config = ReconstructorConfig(device='cpu', detection=DetectionConfig(detector='mediapipe'))
    reconstructor = OnlineReconstructor(Hand3R(preset('tiny')), hand_layer(), make_detector(config), config)
    frames = video_frames(real_footage / 'hand_waving.mp4', step=2, limit=8)
    blank = np.full_like(frames[0].image, 120)
    ids = [
        [hand.track_id for hand in reconstructor.process(replace(frame, image=blank) if hidden else frame).seen_hands]
        for frame, hidden in zip(frames, [0, 0, 0, 1, 1, 0, 0, 0], strict=True)
    ]
    assert ids[3] == ids[4] == []
    assert ids[0] == ids[-1] != []


def test_a_saved_session_goes_on_as_if_nothing_had_stopped(real_footage, tmp_path):
    camera = Intrinsics(1150.0, 1150.0, 639.5, 359.5, 1280, 720)
    config = ReconstructorConfig(device='cpu', detection=DetectionConfig(detector='mediapipe'))
    network = Hand3R(preset('tiny'))
    frames = [replace(f, intrinsics=camera) for f in video_frames(real_footage / 'hand_waving.mp4', step=3, limit=6)]
    whole = OnlineReconstructor(network, hand_layer(), make_detector(config), config)
    expected = [whole.process(frame) for frame in frames][-1].hands[0]
    first = OnlineReconstructor(network, hand_layer(), make_detector(config), config)
    for frame in frames[:3]:
        first.process(frame)
    first.save_state(tmp_path / 'half.safetensors')
    second = OnlineReconstructor(network, hand_layer(), make_detector(config), config)
    second.load_state(tmp_path / 'half.safetensors', after_a_pause=False)
    found = [second.process(frame) for frame in frames[3:]][-1].hands[0]
    np.testing.assert_array_equal(found.vertices_world, expected.vertices_world)
    np.testing.assert_array_equal(found.fit.shape_information, expected.fit.shape_information)
