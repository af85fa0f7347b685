"""The number of threads is lent, not taken."""

from __future__ import annotations

import pytest
import torch

from hand3r_ros.cpu_threads import torch_threads


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_the_number_before_comes_back():
    with torch_threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 3


def test_the_number_before_comes_back_after_an_error():
    @torch_threads(1)
    def fail():
        raise ValueError(torch.get_num_threads())

    with pytest.raises(ValueError, match='1'):
        fail()
    assert torch.get_num_threads() == 3
