"""The monitor's accuracy: known errors are measured as what they are, and only comparable things are compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hand3r_lab.demo.accuracy import measure
from hand3r_lab.demo.run_record import FrameRecord, RunRecord, SeenHand, StageTimes
from hand3r_lab.demo.summary import as_numbers, as_text, for_picture, summarize
from hand3r_ros.geometry import make_transform, transform_points
from hand3r_ros.hand_model.sides import HandSide

RNG = np.random.default_rng(5)
SHAPE = RNG.normal(0.0, 0.04, (21, 3))


def hand(points: np.ndarray, side: HandSide = HandSide.RIGHT, in_world: bool = False, score: float = 1.0) -> SeenHand:
    return SeenHand(side, 1, score, np.zeros(4), np.zeros((0, 3)), points, np.zeros((21, 2)), in_world)


def camera(index: int) -> np.ndarray:
    angle = 0.05 * index
    rotation = [[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]]
    return make_transform(rotation, [0.1 * index, 0.03 * index**2, 0.2])


def perfect_run(frames: int = 12) -> RunRecord:
    """The camera and the hand move; the estimated world is another one than the true one."""
    T_world_scene = make_transform(camera(7)[:3, :3], [3.0, -1.0, 0.5])
    run = RunRecord()
    for index in range(frames):
        record = run.at(index * 200_000_000)
        points = SHAPE + np.array([0.02 * index, 0.0, 0.5])
        record.true_hands, record.T_scene_camera = (hand(points),), camera(index)
        record.T_world_camera = T_world_scene @ camera(index)
        record.hands = (hand(transform_points(record.T_world_camera, points), in_world=True),)
        record.arrival_seconds = 0.1 + 0.01 * index
        run.images += 1
    return run


def shifted(record: FrameRecord, by: list[float]) -> tuple[SeenHand, ...]:
    """The hands of a record moved in the camera frame."""
    assert record.T_world_camera is not None and record.hands is not None
    moved = record.T_world_camera[:3, :3] @ by
    return tuple(dataclasses.replace(seen, keypoints=seen.keypoints + moved) for seen in record.hands)


def test_a_perfect_run_has_no_error() -> None:
    accuracy = measure(perfect_run())
    assert accuracy is not None
    assert (accuracy.matched_hands, accuracy.missed_hands, accuracy.false_hands) == (12, 0, 0)
    for name in ('pa_mpjpe', 'mpjpe', 'c_mpjpe', 'w_mpjpe', 'wa_mpjpe', 'camera_ate', 'camera_rotation'):
        assert getattr(accuracy, name) == pytest.approx(0.0, abs=1e-6), name


def test_a_constant_shift_shows_in_the_camera_frame_only() -> None:
    run = perfect_run()
    for _, record in run.in_order():
        record.hands = shifted(record, [0.0, 0.0, 0.03])
    accuracy = measure(run)
    assert accuracy is not None
    assert accuracy.c_mpjpe == pytest.approx(0.03)
    assert accuracy.mpjpe == pytest.approx(0.0, abs=1e-9)


def test_a_wrong_size_is_aligned_away_by_procrustes_only() -> None:
    run = perfect_run()
    for _, record in run.in_order():
        assert record.true_hands is not None
        points = record.true_hands[0].keypoints
        record.hands = (hand(points[0] + 1.2 * (points - points[0])),)
    accuracy = measure(run)
    assert accuracy is not None
    assert accuracy.pa_mpjpe == pytest.approx(0.0, abs=1e-9)
    assert accuracy.mpjpe == pytest.approx(0.2 * np.linalg.norm(SHAPE - SHAPE[0], axis=1).mean())


def test_missed_hidden_and_false_hands_are_counted() -> None:
    run = perfect_run(4)
    records = [record for _, record in run.in_order()]
    records[0].hands = ()
    records[1].true_hands = (dataclasses.replace(records[1].true_hands[0], score=0.1),)  # type: ignore[index]
    records[2].hands = (*records[2].hands, hand(SHAPE, HandSide.LEFT))  # type: ignore[misc]
    accuracy = measure(run)
    assert accuracy is not None
    assert (accuracy.matched_hands, accuracy.missed_hands, accuracy.false_hands) == (2, 1, 1)


def test_cameras_of_two_sessions_are_not_compared() -> None:
    run = perfect_run(12)
    for index, (_, record) in enumerate(run.in_order()):
        if index >= 8:  # after a reset the world is another one
            record.session_id = 1
            record.T_world_camera = make_transform(np.eye(3), [50.0 * index, 0.0, 0.0])
    assert measure(run).camera_ate == pytest.approx(0.0, abs=1e-6)  # type: ignore[union-attr]
    assert len(run.longest_session()) == 8


def test_camera_errors_are_measured() -> None:
    run = perfect_run(12)
    for index, (_, record) in enumerate(run.in_order()):
        assert record.T_world_camera is not None
        record.T_world_camera = record.T_world_camera @ make_transform(np.eye(3), [0.0, 0.0, 0.02 * (-1) ** index])
    accuracy = measure(run)
    assert accuracy is not None
    assert accuracy.camera_ate == pytest.approx(0.02, rel=0.1)


def test_depth_is_averaged_over_points_not_images() -> None:
    run = perfect_run(2)
    first, second = (record for _, record in run.in_order())
    first.depth_errors, second.depth_errors = (0.1, 1.0, 300), (0.5, 0.0, 100)
    accuracy = measure(run)
    assert accuracy is not None
    assert accuracy.depth_abs_rel == pytest.approx(0.2)
    assert accuracy.depth_delta1 == pytest.approx(0.75)


def test_without_ground_truth_there_is_no_accuracy_but_a_summary() -> None:
    run = perfect_run(3)
    for _, record in run.in_order():
        record.true_hands = record.T_scene_camera = None
    assert measure(run) is None
    text = as_text(summarize(run, None), {'recording': '/tmp/bag'})
    assert 'accuracy' not in text and '/tmp/bag' in text and 'p50 110 ms' in text


def test_the_summary_names_every_number() -> None:
    run = perfect_run(12)
    run.node.processed, run.node.dropped, run.node.rejected, run.node.last_error = 12, 3, 1, 'image: truncated'
    run.node.times[0] = StageTimes(0.001, 0.002, 0.15, 0.004)
    summary = summarize(run, measure(run))
    text = as_text(summary, {'picture': 'picture.png'})
    for part in ('12 in 2.2 s', 'dropped 3, rejected 1', 'image: truncated', 'PA-MPJPE', 'W-MPJPE', 'camera ATE'):
        assert part in text
    assert 'inference 150.0 ms' in text
    numbers = as_numbers(summary)
    assert numbers['latency_ms']['p100'] == pytest.approx(210.0)
    assert numbers['accuracy']['matched_hands'] == 12
    assert ('latency p50', '155 ms') in for_picture(summary)
