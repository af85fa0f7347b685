"""Which image may come next in time: order, lone wrong stamps, real jumps, and streams without stamps."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.node.stamps import NANOSECONDS, StampError, StampGuard, StampMemory, checked_nanoseconds

SKIP, BACK = 'skipped', 'went back'
HOUR = 3600.0


def play(
    seconds: list[float],
    arrivals: list[float] | None = None,
    may_begin_anew: bool = True,
    guard: StampGuard | None = None,
) -> list[object]:
    """For each image the stamp, s, that it is served by, or what else became of it; one comes every 0.1 s."""
    guard = guard or StampGuard()
    found: list[object] = []
    for index, second in enumerate(seconds):
        arrival = 1e6 + 0.1 * index if arrivals is None else arrivals[index]
        try:
            admission = guard.admit(round(second * NANOSECONDS), round(arrival * NANOSECONDS), may_begin_anew)
        except StampError:
            found.append(SKIP)
        else:
            found.append(BACK if admission.went_back else pytest.approx(admission.stamp_ns / NANOSECONDS))
    return found


@pytest.mark.parametrize(
    ('seconds', 'expected'),
    [
        ([1, 1.1, 1.2], [1, 1.1, 1.2]),
        ([5, 5], [5, SKIP]),
        ([5, 4.9, 5.1], [5, SKIP, 5.1]),
        ([5, 4.5, 4.6, 5.1], [5, SKIP, SKIP, 5.1]),  # reordered, not a jump
        ([100, 1, 2, 3, 2.9, 4], [100, SKIP, BACK, 3, SKIP, 4]),  # a bag that starts again
        ([100, 50, 40, 41], [100, SKIP, SKIP, BACK]),
        ([100, 1, 99.95, 2, 100.1], [100, SKIP, SKIP, SKIP, 100.1]),  # not confirmed by the very next image
        ([100, 95, 95.1, 95.2], [100, SKIP, BACK, 95.2]),  # the clock was set back
        ([10, 40, 40.1, 40.2], [10, SKIP, 40.1, 40.2]),  # and set forward
    ],
)
def test_stamps_move_forward_or_begin_anew(seconds: list[float], expected: list[object]) -> None:
    assert play(seconds) == expected


@pytest.mark.parametrize('wrong', [0.0, 12.0, 12.0 + HOUR, 12.0 - 8.0, 12.0 + 4.0, 2.0**31 - 1])
@pytest.mark.parametrize('may_begin_anew', [True, False])
def test_a_lone_wrong_stamp_costs_that_image_alone(wrong: float, may_begin_anew: bool) -> None:
    right = [12.0 + 0.1 * index for index in range(8)]
    given_stamps = [*right[:4], wrong, *right[5:]]
    assert play(given_stamps, may_begin_anew=may_begin_anew) == [*right[:4], SKIP, *right[5:]]


def test_a_lone_wrong_stamp_ends_no_session_however_short_the_gap_is_that_does() -> None:
    guard = StampGuard()
    play([10], guard=guard)
    with pytest.raises(StampError, match='ahead'):
        guard.admit(11_000_000_000, 10**15 + 1, gap_seconds=0.5)


def test_images_that_were_lost_or_refused_are_no_jump() -> None:
    """Faster than real time, as where a recording is played in a hurry."""
    assert play([10, 10.1, 12.5, 12.6]) == [10, 10.1, 12.5, 12.6]


def test_without_permission_time_never_goes_back() -> None:
    assert play([100, 1, 2, 3, 100.1], may_begin_anew=False) == [100, SKIP, SKIP, SKIP, 100.1]


def test_a_pause_is_no_jump() -> None:
    """The camera rested for a minute, and so did the arrivals."""
    assert play([10, 70, 70.1], arrivals=[10, 70.2, 70.3]) == [10, 70, 70.1]


def test_a_slow_stream_loses_nothing_whether_it_is_played_as_recorded_or_faster() -> None:
    seconds = [10.0 * index for index in range(1, 7)]
    assert play(seconds, arrivals=seconds) == seconds
    assert play(seconds) == [10, SKIP, *seconds[2:]]  # 100 times as fast: only its first step looks like a jump


def test_images_without_stamps_are_served_by_their_arrival() -> None:
    assert play([0, 0, 0], arrivals=[7, 7.1, 7.3]) == [7, 7.1, 7.3]
    assert play([0, 0, 0], arrivals=[0, 0, 0]) == [0, SKIP, SKIP]  # nor does the clock run


def test_a_stream_may_begin_and_cease_to_have_stamps() -> None:
    assert play([0, 0, 12, 12.1, 12.2], arrivals=[500, 501, 502, 503, 504]) == [500, 501, SKIP, BACK, 12.2]
    assert play([0, 0, 12, 0, 0], arrivals=[500, 501, 502, 503, 504]) == [500, 501, SKIP, 503, 504]
    assert play([12, 0, 0, 0], arrivals=[500, 501, 502, 503]) == [12, SKIP, 502, 503]


@pytest.mark.parametrize(
    ('seconds', 'cause', 'words'),
    [
        ([5, 4.9], 'stamp not increasing', 'stamp 4.900 s is not after the last one, 5.000 s'),
        ([5, 1], 'stamp not increasing', 'unless the next image continues from there'),
        ([5, 3605], 'stamp jump', 'stamp 3605.000 s is 3600.000 s ahead of the last one'),
        ([5, 0], 'stamp jump', 'the stamp is 0 (none)'),
        ([0, 5], 'stamp jump', 'comes after images without stamps'),
    ],
)
def test_why_an_image_is_skipped_is_said_with_both_times(seconds: list[float], cause: str, words: str) -> None:
    guard = StampGuard()
    play(seconds[:1], guard=guard)
    with pytest.raises(StampError) as refused:
        guard.admit(round(seconds[1] * NANOSECONDS), 10**15 + 1)
    assert refused.value.cause == cause and words in str(refused.value)


def test_a_guard_that_forgot_takes_any_stamp() -> None:
    guard = StampGuard()
    play([100], guard=guard)
    guard.forget()
    assert play([1], guard=guard) == [1]


@given(st.lists(st.sampled_from([0, 1, 2, 3, 50, 51, 52, 3600]), max_size=12), st.integers(0, 12))
def test_a_restored_guard_judges_as_the_first_would_have(seconds: list[int], cut: int) -> None:
    whole, first, second = StampGuard(), StampGuard(), StampGuard()
    expected = play(list(map(float, seconds)), guard=whole)
    found = play(list(map(float, seconds[:cut])), guard=first)
    second.restore(StampMemory(**json.loads(json.dumps(dataclasses.asdict(first.memory())))))
    arrivals = [1e6 + 0.1 * index for index in range(len(seconds))]
    assert found + play(list(map(float, seconds[cut:])), arrivals[cut:], guard=second) == expected


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 10**9)), max_size=30))
def test_what_is_let_through_increases_but_where_time_went_back(images: list[tuple[int, int]]) -> None:
    guard, last = StampGuard(), None
    for index, (seconds, arrival) in enumerate(images):
        try:
            admission = guard.admit(seconds * NANOSECONDS, arrival + index)
        except StampError:
            continue
        assert last is None or admission.went_back or admission.stamp_ns > last
        last = admission.stamp_ns


def test_stamps_are_whole_nanoseconds_within_a_second() -> None:
    time = SimpleNamespace
    assert checked_nanoseconds(time(sec=1_700_000_000, nanosec=999_999_999)) == 1_700_000_000_999_999_999
    for sec, nanosec, words in [(5, 10**9, '1000000000 nanoseconds'), (5, 2**32 - 1, 'nanoseconds'), (-1, 0, '-1')]:
        with pytest.raises(StampError, match=words) as refused:
            checked_nanoseconds(time(sec=sec, nanosec=nanosec))
        assert refused.value.cause == 'bad stamp'
