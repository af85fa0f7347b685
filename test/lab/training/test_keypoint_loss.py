"""Losses of the votes for keypoints."""

import torch

from hand3r_lab.training.keypoint_loss import keypoint_losses
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.keypoint_head import DEPTH_UNIT, KeypointVotes

ROWS, COLUMNS = HandConfig(crop_size=128, used_width=96).grid
CELL = 16 / 128


def centres() -> torch.Tensor:
    y, x = torch.meshgrid(
        (torch.arange(ROWS) - (ROWS - 1) / 2) * CELL, (torch.arange(COLUMNS) - (COLUMNS - 1) / 2) * CELL, indexing='ij'
    )
    return torch.stack([x, y], -1).reshape(-1, 2)


def votes_of(logits: torch.Tensor) -> KeypointVotes:
    """Every cell votes for its own centre, at the wrist's depth."""
    places = torch.cat([centres(), torch.zeros(len(centres()), 1)], -1)
    return KeypointVotes(logits, places[None, :, None].expand(1, -1, 21, -1), centres(), CELL)


def certain(cell: int) -> torch.Tensor:
    return (
        torch.nn.functional.one_hot(torch.tensor([cell]), ROWS * COLUMNS)[..., None].float().expand(-1, -1, 21) * 20.0
    )


def truth_at(token: int, depth: float = 0.0) -> torch.Tensor:
    return torch.cat([centres()[token], torch.tensor([depth])]).expand(1, 21, 3)


def test_right_votes_cost_nothing_and_wrong_ones_their_distance() -> None:
    assert float(keypoint_losses(votes_of(certain(10)), truth_at(10))['votes']) < 1e-5
    beside = keypoint_losses(votes_of(certain(10)), truth_at(11))['votes']
    torch.testing.assert_close(beside, torch.tensor(CELL / 2.0), atol=1e-5, rtol=0.0)  # x is off by a cell, y is not


def test_depth_counts_in_its_unit() -> None:
    found = keypoint_losses(votes_of(certain(10)), truth_at(10, depth=DEPTH_UNIT))['votes']
    torch.testing.assert_close(found, torch.tensor(0.25), atol=1e-5, rtol=0.0)


def test_cells_on_the_keypoint_are_told_to_speak_up_and_others_to_be_silent() -> None:
    logits = torch.zeros(1, ROWS * COLUMNS, 21, requires_grad=True)
    keypoint_losses(votes_of(logits), truth_at(10))['cells'].backward()
    assert logits.grad is not None
    pull = -logits.grad[0, :, 0]
    assert int(pull.argmax()) == 10 and float(pull[10]) > 0.0 and float(pull[47]) < 0.0
