"""Training of the detection head: boxes follow the augmented picture, losses, calibration, and the file at the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.detection_calibration import BestPeaks, best_operation, calibrate_scores
from hand3r_lab.training.detection_data import DetectionBatch, DetectionDataset, ImageWindow
from hand3r_lab.training.detection_losses import box_losses, detection_targets, generalised_overlap, heat_loss
from hand3r_lab.training.detector_stage import detection_losses, network_with_new_head
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_lab.training.run import run_training
from hand3r_ros.network.checkpoints import load_network, save_network
from hand3r_ros.network.detection.head import HandMaps, cell_centres
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame

COLORS = ((255, 0, 0), (0, 0, 255))  # of left and right hands


def write_squares(directory, sequences: int = 6) -> RenderedData:
    """Grey images with a red square for the left hand and a blue one for the right one; some have one or none."""
    layout = RenderedDataLayout('train', sequences, 4, 64, 96, 16, 1.3)
    data = RenderedData.create(directory, layout)
    random = np.random.default_rng(0)
    data.arrays['image'][:] = 110
    for row in range(sequences):
        for frame in range(layout.frames):
            for slot in range(2):
                if random.random() < 0.25:
                    continue
                size = random.integers(12, 28)
                # Not at the border, which windows that are larger than the image repeat.
                x, y = slot * 48 + random.integers(2, 46 - size), random.integers(2, 62 - size)
                data.arrays['image'][row, frame, y : y + size, x : x + size] = COLORS[slot]
                data.arrays['hand_box'][row, frame, slot] = (x - 0.5, y - 0.5, x + size - 0.5, y + size - 0.5)
                data.arrays['hand_visible'][row, frame, slot] = 1.0
                data.arrays['hand_valid'][row, frame, slot] = True
    data.arrays['done'][:] = True
    return data


@pytest.fixture(scope='module')
def squares(tmp_path_factory):
    return write_squares(tmp_path_factory.mktemp('squares'))


def batch_of(boxes, present=((True, True),), ignored=((False, False),)) -> DetectionBatch:
    return DetectionBatch(
        torch.zeros(1, 3, 64, 96),
        torch.tensor([boxes], dtype=torch.float),
        torch.tensor(present),
        torch.tensor(ignored),
    )


def test_boxes_and_sides_follow_the_augmented_picture(squares):
    """Wherever windows and mirrors put a square, its box is there; a mirrored left hand counts as a right one."""
    data = DetectionDataset(squares)
    windows = ImageWindow.draw(60, torch.Generator().manual_seed(5))
    assert 10 < int(windows.mirrored.sum()) < 50
    rows = torch.randint(len(data), (60,), generator=torch.Generator().manual_seed(1)).numpy()
    where = (rows // 4, rows % 4)
    image = torch.from_numpy(squares.arrays['image'][where]).permute(0, 3, 1, 2).float() / 255.0
    batch = data._labelled(windows.show(image), where, windows)
    checked = 0
    for index in range(60):
        for slot in range(2):
            if not batch.present[index, slot]:
                continue
            color = COLORS[1 - slot if windows.mirrored[index] else slot]
            pixels = (batch.image[index] / 2.0 + 0.5) * 255.0
            rows_seen, columns_seen = torch.nonzero((pixels - torch.tensor(color)[:, None, None]).abs().amax(0) < 60).T
            seen = [columns_seen.min() - 0.5, rows_seen.min() - 0.5, columns_seen.max() + 0.5, rows_seen.max() + 0.5]
            limit = torch.tensor([95.0, 63.0, 95.0, 63.0])
            expected = torch.minimum(torch.tensor(seen).clamp(min=0.0), limit)
            torch.testing.assert_close(batch.boxes[index, slot], expected, atol=2.0, rtol=0.0)  # blurred edges
            checked += 1
    assert checked > 50


def test_hidden_and_cut_hands_are_ignored_and_hands_outside_are_no_hands():
    window = ImageWindow(torch.tensor([[0.5, 0.5]]), torch.tensor([[-0.5, -0.5]]))  # the upper left quarter
    moved = window.move_boxes(torch.tensor([[[4.0, 4.0, 20.0, 20.0], [60.0, 40.0, 80.0, 60.0]]]), 96, 64)
    torch.testing.assert_close(moved[0, 0], torch.tensor([8.5, 8.5, 40.5, 40.5]))
    assert (moved[0, 1, :2] > torch.tensor([95.0, 63.0])).all()


def test_hidden_hands_are_neither_to_be_found_nor_to_be_left_out(squares):
    data = DetectionDataset(squares, smallest_visible=1.5)  # nothing is visible enough
    batch = data.batch(16, torch.Generator().manual_seed(0), augment=False)
    assert not batch.present.any()
    assert torch.equal(batch.ignored, torch.from_numpy(squares.arrays['hand_valid']).flatten(0, 1)[_chosen(data, 16)])
    targets = detection_targets(batch, 8)
    assert float(targets.heat.max()) == 0.0
    assert not targets.counted.all()


def _chosen(data, size):
    return torch.from_numpy(
        np.sort(torch.randint(len(data), (size,), generator=torch.Generator().manual_seed(0)).numpy())
    )


def test_the_target_peaks_in_the_cell_of_the_centre():
    targets = detection_targets(batch_of([[8.0, 8.0, 40.0, 24.0], [70.0, 30.0, 95.0, 63.0]]), 8)
    for side, (row, column) in enumerate(((2, 3), (5, 10))):
        assert targets.heat[0, side, row, column] == 1.0
        assert int((targets.heat[0, side] == 1.0).sum()) == 1
    assert targets.counted.all()


def test_perfect_maps_cost_nothing_and_every_fault_costs():
    batch = batch_of([[8.0, 8.0, 40.0, 24.0], [0.0, 0.0, 1.0, 1.0]], present=((True, False),))
    targets = detection_targets(batch, 8)
    logits = torch.full((1, 2, 8, 12), -12.0)
    logits[0, 0, 2, 3] = 12.0
    boxes = batch.boxes[:, :, None, None].expand(1, 2, 8, 12, 4)
    assert heat_loss(logits, targets) < 1e-6
    assert sum(box_losses(HandMaps(logits, boxes, 8), batch, targets)) < 1e-6
    missed, false, shifted = logits.clone(), logits.clone(), boxes + 4.0
    missed[0, 0, 2, 3] = -2.0
    false[0, 1, 2, 3] = 2.0  # the other side
    assert heat_loss(missed, targets) > 1.0
    assert heat_loss(false, targets) > 1.0
    assert all(loss > 0.1 for loss in box_losses(HandMaps(logits, shifted, 8), batch, targets))


def test_generalised_overlap_of_known_boxes():
    first = torch.tensor([0.0, 0.0, 2.0, 2.0])
    assert generalised_overlap(first, first) == pytest.approx(1.0)
    assert generalised_overlap(first, torch.tensor([1.0, 0.0, 3.0, 2.0])) == pytest.approx(1 / 3)
    assert generalised_overlap(first, torch.tensor([4.0, 0.0, 6.0, 2.0])) == pytest.approx(-1 / 3)


def test_the_threshold_of_the_best_f1():
    peaks = [
        BestPeaks(torch.tensor([0.9, 0.3]), torch.tensor([True, True]), 2),
        BestPeaks(torch.tensor([0.1, 0.2]), torch.tensor([False, False]), 1),
    ]
    operation = best_operation(peaks)
    assert operation is not None
    assert operation.threshold == pytest.approx(0.3)
    assert (operation.precision, operation.recall, operation.f1) == pytest.approx((1.0, 2 / 3, 0.8))
    assert best_operation([BestPeaks(torch.tensor([0.9]), torch.tensor([False]), 1)]) is None


def small_network() -> Hand3R:
    config = preset('tiny')
    torch.manual_seed(0)
    return Hand3R(config)


def test_the_head_learns_squares_and_is_calibrated(squares):
    """A hundred steps are enough to find coloured squares and to tell left from right."""
    network = network_with_new_head(small_network(), 'tiny')
    network.requires_grad_(False)
    network.detection_head.requires_grad_(True)
    data, config = DetectionDataset(squares), TrainingConfig('detector', batch=8)
    optimizer = torch.optim.AdamW(network.detection_head.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        losses = detection_losses(network, data.batch(8, generator, augment=False), config)
        optimizer.zero_grad()
        losses['total'].backward()
        optimizer.step()
    operation = calibrate_scores(network, data, 24)
    assert operation is not None
    assert operation.f1 > 0.8
    again = calibrate_scores(network, data, 24)
    assert again is not None
    assert again.threshold == pytest.approx(0.5, abs=1e-3)
    assert all(parameter.grad is None for parameter in network.scene.parameters())


def test_the_stage_adds_the_head_and_leaves_the_rest_alone(squares, tmp_path, monkeypatch):
    monkeypatch.setattr('hand3r_lab.training.detector_stage.CALIBRATION_IMAGES', 8)
    weights = tmp_path / 'tiny.safetensors'
    save_network(weights, small_network(), {'preset': 'tiny', 'hand_model': 'open_hand', 'note': 'kept'}, half=True)
    before, _ = load_network(tmp_path, 'tiny')
    config = TrainingConfig(
        'detector', data=str(squares.directory), out=str(tmp_path / 'out'), steps=30, batch=4, learning_rate=5e-3,
        warmup_steps=2,
    )  # fmt: skip
    run_training(config, weights)
    after, info = load_network(tmp_path, 'tiny')
    assert info.metadata['note'] == 'kept'
    assert info.metadata['detector_steps'] == 30
    for name, value in before.state_dict().items():
        assert torch.equal(after.state_dict()[name], value), name
    image = torch.rand(1, 3, 64, 96)
    assert after.detect(Frame(image), after.encode_scene(Frame(image))).logits.isfinite().all()


def test_bfloat16_runs_the_network_and_leaves_losses_in_float32(squares):
    network, batch = network_with_new_head(small_network(), 'tiny'), DetectionDataset(squares).batch(4, seeded())
    exact = detection_losses(network, batch, TrainingConfig('detector'))
    rough = detection_losses(network, batch, TrainingConfig('detector', precision='bfloat16'))
    assert rough['total'].dtype == torch.float32
    assert 0.0 < float((exact['total'] - rough['total']).detach().abs()) < 0.05 * float(exact['total'].detach())


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_wrong_files_are_refused_before_anything_is_trained(squares, tmp_path):
    config = TrainingConfig('detector', data=str(squares.directory), out=str(tmp_path / 'out'))
    with pytest.raises(ValueError, match='must be named'):
        run_training(config, tmp_path / 'mine.safetensors')
    with pytest.raises(RuntimeError, match='does not exist'):
        run_training(config, tmp_path / 'tiny.safetensors', tmp_path / 'nowhere' / 'tiny.safetensors')
    assert not (tmp_path / 'out').exists()


def test_a_trained_head_goes_on_and_half_precision_stays(squares, tmp_path):
    first = network_with_new_head(small_network(), 'tiny')
    assert first.detection_head is not None
    weights = tmp_path / 'tiny.safetensors'
    save_network(weights, first, {'preset': 'tiny', 'hand_model': 'open_hand'}, half=True)
    size = weights.stat().st_size
    before, _ = load_network(tmp_path, 'tiny')
    copied = network_with_new_head(before, 'tiny')
    assert copied is not before and copied.config == before.config
    assert torch.equal(copied.detection_head.heat.weight, before.detection_head.heat.weight)
    config = TrainingConfig('detector', data=str(squares.directory), out=str(tmp_path / 'out'), steps=30, batch=4)
    run_training(config.with_values({'learning_rate': 5e-3, 'warmup_steps': 2}), weights)
    assert weights.stat().st_size < 1.1 * size  # not stored in single precision because the head has learned
    after, _ = load_network(tmp_path, 'tiny')
    assert not torch.equal(after.detection_head.heat.weight, before.detection_head.heat.weight)


def test_cell_centres_are_those_of_the_targets():
    centre = cell_centres(8, 12, 8)[2, 3]
    box = torch.cat([centre - 10.0, centre + 10.0]).tolist()
    assert detection_targets(batch_of([box, box]), 8).heat[0, 0, 2, 3] == 1.0
