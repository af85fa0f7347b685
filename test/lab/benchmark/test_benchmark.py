"""The benchmark measures what it says: the yardstick computes the same, operations are those that are stated."""

from __future__ import annotations

import argparse

import pytest
import torch

from hand3r_lab.benchmark.hands import hand_gflop, measure_hand
from hand3r_lab.benchmark.landmarks import landmark_numbers
from hand3r_lab.benchmark.original import OriginalStream
from hand3r_lab.benchmark.random_weights import with_random_weights
from hand3r_lab.benchmark.report import BenchmarkOptions, random_weights_numbers, throughput_numbers
from hand3r_lab.benchmark.scene import scene_gflop, timed_frame
from hand3r_lab.commands.benchmark import image_size
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.presets import preset
from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.stream import SceneStream
from hand3r_ros.network.types import Frame

SMALL = SceneConfig(
    encoder_width=64,
    encoder_depth=2,
    encoder_heads=2,
    decoder_width=48,
    decoder_depth=4,
    decoder_heads=2,
    state_size=12,
    state_heads=3,
    memory_slots=4,
    memory_heads=2,
    ray_map_depth=0,
    dpt_widths=(8, 8, 8, 8),
    dpt_fusion_width=8,
    dpt_output_width=8,
)


@pytest.mark.parametrize('image_size', [(48, 64), (80, 48)])
def test_the_yardstick_computes_what_the_stream_computes(image_size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    stream = SceneStream(SMALL).eval()
    with torch.inference_mode():
        state = stream.step(stream.init_state(), Frame(torch.rand(1, 3, *image_size) * 2 - 1)).state
        image = torch.rand(1, 3, *image_size) * 2 - 1
        expected = stream.step(state, Frame(image), dense=frozenset({'world', 'rgb'}))
        found = OriginalStream(stream).step(state, image)
    scene = expected.prediction
    pairs = (
        (found.tokens, expected.state.tokens),
        (found.memory, expected.state.memory),
        (found.camera_pose, scene.camera_pose),
        (found.points_self, scene.points_self),
        (found.points_world, scene.points_world),
        (found.rgb, scene.rgb),
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_operations_are_those_stated_for_the_published_networks() -> None:
    assert scene_gflop(SceneConfig(), (384, 512), original=True) == pytest.approx(1584.5, rel=2e-3)
    assert hand_gflop(HandConfig()) == pytest.approx(251.1, rel=2e-3)
    # Two of three dense heads and the blocks in front of one of them are left out.
    assert scene_gflop(SceneConfig(), (384, 512)) < 1584.5 - 2 * 186.7 - 25.4


def test_stages_are_timed_and_the_stream_is_left_as_it_was() -> None:
    stream = with_random_weights(lambda: SceneStream(SMALL))
    frame = Frame(torch.zeros(1, 3, 48, 64))
    with torch.inference_mode():
        state = stream.step(stream.init_state(), frame).state
        before = stream.step(state, frame).prediction.points_self
    stages = timed_frame(stream, state, frame)
    assert set(stages) == {'encoder', 'memory read', 'decoder', 'heads', 'memory write', 'other'}
    assert all(stages[name].cpu > 0.0 for name in stages if name != 'other')
    with torch.inference_mode():
        assert torch.equal(stream.step(state, frame).prediction.points_self, before)
    assert 'forward' not in vars(stream.decoder)


def test_the_whole_table_of_a_network_with_random_weights() -> None:
    options = BenchmarkOptions(preset='tiny', random_weights=True, frames=2, image_size=(48, 64))
    numbers = random_weights_numbers(options)
    assert all(value >= 0.0 for name, value in numbers.items() if 'other' not in name)
    assert numbers['scene stream: peak memory of the process, GiB'] > 0.01
    assert 0.0 < numbers['  share of the matmul rate reached'] < 2.0
    assert 'scene stream: share of the published time, CPU' not in numbers  # tiny has no world head


def test_throughput_in_bfloat16_with_hands() -> None:
    options = BenchmarkOptions(preset='tiny', frames=1, image_size=(48, 64))
    numbers = throughput_numbers(options, torch.bfloat16)
    for hands in (1, 2):
        assert numbers[f'{hands} hand(s), bfloat16: frames per second'] > 0.0
    assert numbers['2 hand(s), bfloat16: TFLOP per frame'] > numbers['1 hand(s), bfloat16: TFLOP per frame']


def test_bfloat16_hands_are_compared_with_float32() -> None:
    config = preset('tiny').hand
    speed = measure_hand(config, 1, try_bfloat16=True)
    assert speed.bfloat16 is not None and speed.difference is not None
    assert 0.0 < speed.difference.tokens < 0.1
    assert 0.0 <= speed.difference.joint_angle < 5.0  # an untrained head gives the mean pose in either precision
    assert 0.0 < speed.difference.betas < 0.1
    assert measure_hand(config, 1, try_bfloat16=False).difference is None


def test_sizes_are_read_or_refused() -> None:
    assert image_size('512x384') == (384, 512)
    for wrong in ('512', '500x384', 'axb', '0x16'):
        with pytest.raises(argparse.ArgumentTypeError):
            image_size(wrong)


def test_hands_by_landmarks_are_timed_stage_by_stage() -> None:
    numbers = landmark_numbers(repetitions=2)
    stages = [name for name in numbers if 'one hand' in name or 'palm' in name]
    assert len(stages) == 4 and all(value > 0.0 for value in numbers.values())
    warm, landmarks = (next(numbers[name] for name in stages if part in name) for part in ('warm', 'landmark network'))
    assert numbers['landmarks: two followed hands, one image, CPU ms'] == pytest.approx(2.0 * (warm + landmarks))
