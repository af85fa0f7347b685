"""Keypoints that the hand tokens vote for, and a MANO head that starts from them."""

import dataclasses

import pytest
import torch

from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.keypoint_head import DEPTH_UNIT, DIVISION, KeypointHead
from hand3r_ros.network.hand.mano_head import ManoHead
from hand3r_ros.network.hand.stream import HandStream

SMALL = HandConfig(
    crop_size=64,
    used_width=48,
    width=16,
    depth=1,
    heads=2,
    mlp_width=16,
    head_width=16,
    head_depth=1,
    head_heads=2,
    head_dim=8,
    head_mlp_width=16,
    query='keypoints',
)


@pytest.fixture
def head() -> KeypointHead:
    torch.manual_seed(0)
    return KeypointHead(SMALL)


def test_tokens_that_all_vote_for_their_own_place_give_the_middle_of_the_crop(head: KeypointHead) -> None:
    torch.nn.init.zeros_(head.votes.weight)
    torch.nn.init.zeros_(head.votes.bias)
    keypoints = head(torch.randn(2, SMALL.token_count, 16)).keypoints()
    torch.testing.assert_close(keypoints, torch.zeros(2, 21, 3), atol=1e-6, rtol=0.0)


def test_the_cell_with_all_the_weight_says_where_the_keypoint_is(head: KeypointHead) -> None:
    tokens = torch.zeros(1, SMALL.token_count, 16)
    tokens[0, 5, 0] = 1.0  # row 1, column 2 of 4 x 3 patches; its lower left quarter is row 3, column 4 of 8 x 6 cells
    with torch.no_grad():
        head.votes.weight.zero_()
        head.votes.bias.zero_()
        votes = head.votes.weight[:, 0].unflatten(0, (DIVISION, DIVISION, 21, 4))
        votes[1, 0] = torch.tensor([50.0, 0.5, -1.0, 0.3])
    keypoint = head(tokens).keypoints()[0, 7]
    cell = 16 / 64 / DIVISION
    expected = torch.tensor([(4 - 2.5 + 0.5) * cell, (3 - 3.5 - 1.0) * cell, 0.3 * DEPTH_UNIT])
    torch.testing.assert_close(keypoint, expected, atol=1e-5, rtol=0.0)


def test_the_hand_follows_the_keypoints_it_is_told() -> None:
    torch.manual_seed(0)
    mano_head = ManoHead(SMALL)
    for readout in (mano_head.pose, mano_head.shape, mano_head.camera):
        torch.nn.init.normal_(readout.weight)
    context = torch.randn(1, SMALL.token_count, 16).expand(2, -1, -1)
    keypoints = torch.zeros(2, 21, 3)
    keypoints[1, 3, 2] = 0.05
    found = mano_head(context, keypoints)
    assert not torch.allclose(found.rotations[0], found.rotations[1], atol=1e-3)


def test_a_head_that_starts_from_keypoints_refuses_to_go_without() -> None:
    with pytest.raises(ValueError, match='needs the keypoints'):
        ManoHead(SMALL)(torch.randn(1, SMALL.token_count, 16))


def test_the_stream_reads_keypoints_only_where_its_head_starts_from_them() -> None:
    assert HandStream(SMALL).keypoint_head is not None
    assert HandStream(dataclasses.replace(SMALL, query='zero')).keypoint_head is None
    output = HandStream(SMALL)(torch.randn(0, 3, 64, 64))
    assert output.rotations.shape == (0, 16, 3, 3)
