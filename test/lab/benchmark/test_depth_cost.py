"""The benchmark has a row for measured depth."""

from __future__ import annotations

from hand3r_lab.benchmark.depth import depth_numbers


def test_the_cost_of_measured_depth_is_a_row() -> None:
    numbers = depth_numbers(64)
    assert all('measured depth' in name and value > 0.0 for name, value in numbers.items()) and numbers
