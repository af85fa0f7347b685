"""The number of threads is lent, not taken."""

from __future__ import annotations

import cv2
import pytest
import torch

from hand3r_lab.cpu_threads import opencv_threads, torch_threads


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


def test_opencv_gets_its_threads_back():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    with opencv_threads(1):
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == 2
    cv2.setNumThreads(before)
