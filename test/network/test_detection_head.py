"""The detection head: cells to pixels, peaks to hands, tokens shared with the step, and weights files with it."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import torch

from hand3r_ros.network.checkpoints import load_network, save_network
from hand3r_ros.network.detection.config import DetectionHeadConfig
from hand3r_ros.network.detection.head import HandMaps, cell_centres
from hand3r_ros.network.detection.peaks import find_peaks
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import PRESETS, preset, with_detection_head
from hand3r_ros.network.types import Frame, HandBoxes

IMAGE = (64, 96)


@functools.cache
def network() -> Hand3R:
    torch.manual_seed(0)
    return Hand3R(with_detection_head('tiny')).eval()


def image(batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, *IMAGE, generator=torch.Generator().manual_seed(3)) * 2.0 - 1.0


def maps(peaks: dict[tuple[int, int, int, int], float], batch: int = 1) -> HandMaps:
    """Logits at (image, side, row, column); every box reaches 20 pixels from the centre of its cell."""
    rows, columns = 8, 12
    logits = torch.full((batch, 2, rows, columns), -9.0)
    for where, value in peaks.items():
        logits[where] = value
    centres = cell_centres(rows, columns, 8)
    boxes = torch.cat([centres - 20.0, centres + 20.0], dim=-1).expand(batch, 2, -1, -1, -1)
    return HandMaps(logits, boxes, 8)


def test_cells_lie_where_their_pixels_are():
    centres = cell_centres(2, 3, 8)
    assert centres[0, 0].tolist() == [3.5, 3.5]
    assert centres[1, 2].tolist() == [19.5, 11.5]


def test_an_untrained_head_starts_silent_with_boxes_of_the_configured_size():
    with torch.inference_mode():
        frame = Frame(image())
        found = network().detect(frame, network().encode_scene(frame))
    assert found.logits.shape == (2, 2, 8, 12)
    assert found.boxes.shape == (2, 2, 8, 12, 4)
    config = DetectionHeadConfig()
    torch.testing.assert_close(
        found.logits.sigmoid(), torch.full_like(found.logits, config.initial_score), atol=0.02, rtol=0.0
    )
    sides = found.boxes[..., 2:] - found.boxes[..., :2]
    torch.testing.assert_close(sides, torch.full_like(sides, config.initial_box), atol=0.0, rtol=0.3)


def test_every_image_of_a_batch_is_judged_alone():
    with torch.inference_mode():
        both, one = Frame(image()), Frame(image()[1:])
        together = network().detect(both, network().encode_scene(both))
        alone = network().detect(one, network().encode_scene(one))
    torch.testing.assert_close(together.logits[1:], alone.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together.boxes[1:], alone.boxes, atol=1e-3, rtol=1e-5)


def test_boxes_move_with_the_picture():
    """Shifting image and tokens by a patch shifts what the head says by two cells, away from the border."""
    head = network().detection_head
    frame = Frame(torch.rand(1, 3, 128, 160, generator=torch.Generator().manual_seed(1)))
    with torch.inference_mode():
        scene = network().encode_scene(frame)
        tokens = scene.tokens.unflatten(1, (8, 10)).roll(1, 2).flatten(1, 2)
        here = head(frame.image, scene)
        there = head(frame.image.roll(16, 3), scene._replace(tokens=tokens))
    moved = there.boxes[0, :, :, 10:12] - torch.tensor([16.0, 0.0, 16.0, 0.0])
    torch.testing.assert_close(here.boxes[0, :, :, 8:10], moved, atol=0.3, rtol=0.0)


def test_peaks_are_ordered_by_image_and_score_and_know_their_side():
    found = find_peaks(maps({(0, 0, 2, 3): 0.0, (0, 1, 5, 8): 2.0, (1, 1, 1, 1): 1.0}, batch=2))
    assert found.batch_index.tolist() == [0, 0, 1]
    assert found.is_right.tolist() == [True, False, True]
    torch.testing.assert_close(found.scores, torch.tensor([2.0, 0.0, 1.0]).sigmoid())
    assert found.boxes[1].tolist() == [7.5, 0.0, 47.5, 39.5]


def test_touching_cells_are_one_hand_and_distant_ones_of_a_side_are_two():
    assert len(find_peaks(maps({(0, 0, 2, 3): 1.0, (0, 0, 2, 4): 0.5})).scores) == 1
    assert len(find_peaks(maps({(0, 0, 2, 3): 1.0, (0, 0, 2, 7): 0.5})).scores) == 2
    assert len(find_peaks(maps({(0, 0, 2, 3): 1.0, (0, 1, 2, 3): 0.5})).scores) == 2  # clasped hands share a cell


def test_boxes_are_cut_at_the_border_like_those_of_the_training_data():
    (box,) = find_peaks(maps({(0, 1, 7, 11): 1.0})).boxes
    assert box.tolist() == [71.5, 39.5, 95.0, 63.0]


def test_values_that_are_not_finite_are_no_hands():
    broken = maps({(0, 0, 2, 3): float('nan')})
    assert len(find_peaks(broken).scores) == 0


def test_a_step_with_known_tokens_is_the_same_step():
    frame, boxes = Frame(image()), HandBoxes.empty(preset('tiny').hand.crop_size)
    with torch.inference_mode():
        state, expected = network().step(network().init_state(2), frame, boxes)
        tokens = network().encode_scene(frame)
        again, found = network().step(network().init_state(2), frame, boxes, scene=tokens)
    assert torch.equal(expected.scene.points_self, found.scene.points_self)
    assert torch.equal(state.tokens, again.tokens)


def test_presets_have_no_head_unless_asked_and_it_is_small():
    for name in PRESETS:
        assert preset(name).detection is None
        assert with_detection_head(name) == dataclasses.replace(
            preset(name), detection=with_detection_head(name).detection
        )
    assert sum(parameter.numel() for parameter in network().detection_head.parameters()) < 0.4e6
    plain = Hand3R(preset('tiny'))
    with pytest.raises(ValueError, match='hand3r-lab train detector'):
        plain.detect(Frame(image()), plain.encode_scene(Frame(image())))


def test_the_file_says_whether_there_is_a_head(tmp_path):
    for config in (with_detection_head('tiny'), preset('tiny')):
        saved = network() if config.detection else Hand3R(config)
        save_network(tmp_path / 'tiny.safetensors', saved, {'preset': 'tiny', 'hand_model': 'open_hand'})
        loaded, info = load_network(tmp_path, 'tiny')
        assert info.config == loaded.config == config
        assert (loaded.detection_head is None) == (config.detection is None)
        if loaded.detection_head is not None:
            assert torch.equal(loaded.detection_head.heat.weight, network().detection_head.heat.weight)


@pytest.mark.parametrize(
    ('change', 'named'),
    [({'width': 20}, 'width'), ({'stem_widths': ()}, 'stem_widths'), ({'blocks': -1}, 'blocks'),
     ({'initial_score': 1.0}, 'initial_score'), ({'initial_box': 0.0}, 'initial_box')],
)  # fmt: skip
def test_impossible_sizes_are_named(change, named):
    with pytest.raises(ValueError, match=f'detection.{named}'):
        DetectionHeadConfig(**change)


def test_cells_must_divide_patches():
    config = dataclasses.replace(preset('tiny'), detection=DetectionHeadConfig(stem_widths=(8, 8, 8, 8, 8)))
    with pytest.raises(ValueError, match='32 pixels'):
        Hand3R(config)
