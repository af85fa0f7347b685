"""MediaPipe on real photos and a real clip, and the whole chain behind it. Accuracy is not claimed here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from truth_network import hand_layer

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import DetectionConfig, MapConfig, PlacementConfig, ReconstructorConfig
from hand3r_ros.online.detection.mediapipe_hands import MediaPipeDetector
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, TrackingState

pytest.importorskip('mediapipe', reason='mediapipe==0.10.21 is an optional extra')


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
    detector = MediaPipeDetector(max_hands=4, static_images=True)
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
    detector = MediaPipeDetector(max_hands=2)
    frames = video_frames(real_footage / 'hand_waving.mp4', step=5, limit=20)
    found = [detector.detect(frame, ()) for frame in frames]
    assert sum(len(hands) >= 1 for hands in found) >= 0.8 * len(frames)
    sides = [hand.side for hands in found for hand in hands]
    assert np.mean([side == HandSide.RIGHT for side in sides]) > 0.9


def test_a_mirrored_image_shows_the_other_side(real_footage):
    frame = video_frames(real_footage / 'hand_waving.mp4', step=30, limit=2)[1]
    mirrored = CameraFrame(np.ascontiguousarray(frame.image[:, ::-1]), 0)
    detector = MediaPipeDetector(max_hands=1, static_images=True)
    assert detector.detect(frame, ())[0].side == HandSide.RIGHT
    assert detector.detect(mirrored, ())[0].side == HandSide.LEFT


def test_the_whole_chain_runs_on_a_real_clip(real_footage):
    """Uncalibrated, with untrained weights: what comes out is meaningless, but it must come out."""
    config = ReconstructorConfig(
        device='cpu',
        detection=DetectionConfig(detector='mediapipe', interval=4),
        placement=PlacementConfig(translation='aligned'),
        map=MapConfig(min_confidence=0.0),
        fallback_focal=600.0,
    )
    reconstructor = OnlineReconstructor(Hand3R(preset('tiny')), hand_layer(), make_detector(config), config)
    frames = video_frames(real_footage / 'hand_waving.mp4', step=6, limit=8)
    results = [reconstructor.process(frame) for frame in frames]
    assert [result.frame_index for result in results] == list(range(len(frames)))
    assert {result.state for result in results} == {TrackingState.UNCALIBRATED}
    assert all(np.isfinite(hand.vertices_world).all() for result in results for hand in result.hands)
    assert any(result.hands for result in results)
    assert len(reconstructor.map) > 0
