"""Denormal numbers are flushed for as long as it is asked, not longer."""

from __future__ import annotations

import warnings

import pytest
import torch

from hand3r_lab.flush_denormals import flush_denormals


@pytest.fixture(autouse=True)
def kept_before():
    torch.set_flush_denormal(False)
    if not tiny():
        pytest.skip('this processor always flushes denormal numbers')
    if not torch.set_flush_denormal(True):
        pytest.skip('this processor cannot flush denormal numbers')
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(False)


def tiny() -> float:
    return float(torch.tensor(1e-40) * 0.5)


def test_tiny_numbers_are_zero_inside_and_come_back():
    with flush_denormals():
        assert tiny() == 0.0
    assert tiny() > 0.0


def test_they_come_back_after_an_error():
    @flush_denormals()
    def fail():
        raise ValueError(tiny())

    with pytest.raises(ValueError, match=r'^0\.0$'):
        fail()
    assert tiny() > 0.0


def test_an_outer_setting_is_kept():
    with flush_denormals():
        with flush_denormals():
            pass
        assert tiny() == 0.0


def test_numpy_does_not_warn_inside():
    import numpy

    with warnings.catch_warnings(), flush_denormals():
        warnings.simplefilter('error')
        numpy.finfo(numpy.float32)
