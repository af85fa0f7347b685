"""Calibrations that come in: what is taken, what is refused, and how everything that is refused is counted."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.calibration import (
    CalibrationError,
    LatestCalibration,
    calibration_from_camera_info,
    intrinsics_from_camera_info,
)
from hand3r_ros.node.lens import Calibration, LensDistortion


def camera_info(k: list[float], p: list[float] | None = None, **changes: object) -> SimpleNamespace:
    region = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    fields = {
        'width': 640,
        'height': 480,
        'k': np.array(k),
        'p': np.array(p or [0.0] * 12),
        'd': [],
        'distortion_model': 'plumb_bob',
        'binning_x': 0,
        'binning_y': 0,
        'roi': region,
    }
    return SimpleNamespace(**{**fields, **changes})


K = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]


def test_k_is_the_camera_of_the_raw_image_and_p_that_of_the_rectified() -> None:
    p = [400.0, 0.0, 310.0, 0.0, 0.0, 410.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert intrinsics_from_camera_info(camera_info(K, p)) == Intrinsics(500.0, 510.0, 320.0, 240.0, 640, 480)
    assert intrinsics_from_camera_info(camera_info(K, p), rectified=True) == Intrinsics(
        400.0, 410.0, 310.0, 230.0, 640, 480
    )


def test_a_zero_k_means_uncalibrated() -> None:
    assert intrinsics_from_camera_info(camera_info([0.0] * 9)) is None


@pytest.mark.parametrize('index', range(9))
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(index: int, value: float) -> None:
    k = list(K)
    k[index] = value
    with pytest.raises(CalibrationError) as refused:
        intrinsics_from_camera_info(camera_info(k))
    assert refused.value.cause == 'non-finite calibration'


@pytest.mark.parametrize('index', [0, 4])
def test_negative_focal_lengths_are_refused(index: int) -> None:
    k = list(K)
    k[index] = -500.0
    with pytest.raises(CalibrationError, match='must be > 0'):
        intrinsics_from_camera_info(camera_info(k))


@pytest.mark.parametrize(
    'changes',
    [
        {'width': 0, 'height': 0},
        {'width': 640, 'height': 0, 'binning_x': 2},
        {'width': 0, 'binning_y': 2},
        {'binning_x': 641},
        {'binning_y': 4_294_967_295},
        {'roi': SimpleNamespace(x_offset=640, y_offset=0, width=10, height=10)},
        {'roi': SimpleNamespace(x_offset=0, y_offset=4_294_967_295, width=10, height=10)},
    ],
)
def test_an_image_of_no_size_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CalibrationError) as refused:
        calibration_from_camera_info(camera_info(K, **changes))
    assert refused.value.cause == 'bad calibration'


@pytest.mark.parametrize(
    ('index', 'value', 'what'),
    [
        (4, 5e-324, 'focal lengths'),
        (0, 1e-320, 'focal lengths'),
        (0, 31.0, 'focal lengths'),
        (4, 64_001.0, 'focal lengths'),
        (0, 1e300, 'focal lengths'),
        (2, 1e9, 'principal point'),
        (5, -1e9, 'principal point'),
        (2, -641.0, 'principal point'),
        (5, 961.0, 'principal point'),
    ],
)
@pytest.mark.parametrize('rectified', [False, True])
def test_what_no_camera_has_is_refused(index: int, value: float, what: str, rectified: bool) -> None:
    k = list(K)
    k[index] = value
    p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    message = camera_info(K if rectified else k, p)
    with pytest.raises(CalibrationError, match=f'{"P" if rectified else "K"} has .*{what}') as refused:
        calibration_from_camera_info(message, rectified)
    assert refused.value.cause == 'bad calibration'


@pytest.mark.parametrize(('index', 'value'), [(0, 33.0), (4, 63_999.0), (2, -600.0), (5, 950.0)])
def test_unusual_cameras_are_taken(index: int, value: float) -> None:
    k = list(K)
    k[index] = value
    assert calibration_from_camera_info(camera_info(k)) is not None


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [
        ('plumb_bob', [1e9, 0.0, 0.0, 0.0, 0.0]),
        ('plumb_bob', [0.0, 0.0, 0.0, 0.0, 1e308]),
        ('rational_polynomial', [0.1, 0.0, 0.0, 0.0, 0.0, -1e300, 0.0, 0.0]),
        ('equidistant', [0.0, 0.0, 0.0, -1e38]),
    ],
)
def test_coefficients_that_throw_the_middle_out_of_the_image_are_refused(model: str, coefficients: list[float]) -> None:
    with pytest.raises(CalibrationError, match='outside of it') as refused:
        calibration_from_camera_info(camera_info(K, d=coefficients, distortion_model=model))
    assert refused.value.cause == 'bad distortion'


def test_the_lens_of_a_small_region_in_the_corner_is_taken() -> None:
    region = SimpleNamespace(x_offset=0, y_offset=0, width=32, height=24)
    strong = camera_info(K, d=[-0.35, 0.12, 0.0, 0.0, 0.0], roi=region)
    calibration = calibration_from_camera_info(strong)
    assert calibration is not None and calibration.lens is not None


@given(
    values=st.lists(st.tuples(st.integers(0, 8), st.floats()), max_size=4),
    width=st.integers(0, 2**32 - 1),
    height=st.integers(0, 1000),
    binning=st.integers(0, 2**32 - 1),
    region=st.tuples(*[st.integers(0, 2**32 - 1)] * 4),
    coefficients=st.lists(st.floats(), max_size=9),
    model=st.sampled_from(['plumb_bob', 'rational_polynomial', 'equidistant', 'fisheye', 'pinhole', '', 'x']),
)
def test_no_camera_info_does_anything_but_be_taken_or_refused(
    values, width, height, binning, region, coefficients, model
) -> None:
    k = list(K)
    for index, value in values:
        k[index] = value
    roi = SimpleNamespace(**dict(zip(('x_offset', 'y_offset', 'width', 'height'), region, strict=True)))
    changes = {'width': width, 'height': height, 'binning_x': binning, 'roi': roi, 'd': coefficients}
    try:
        calibration = calibration_from_camera_info(camera_info(k, distortion_model=model, **changes))
    except CalibrationError as refused:
        assert refused.cause and str(refused)
        return
    if calibration is not None:
        camera = calibration.intrinsics
        assert camera.width > 0 and camera.height > 0 and np.isfinite(camera.matrix()).all()


def test_region_and_binning_lead_from_the_full_sensor_to_the_delivered_image() -> None:
    """REP-104: a pixel of the delivered image sees the same ray as those of the sensor that it was made of."""
    region = SimpleNamespace(x_offset=100, y_offset=40, width=400, height=300)
    camera = intrinsics_from_camera_info(camera_info(K, roi=region, binning_x=2, binning_y=2))
    assert camera is not None and (camera.width, camera.height) == (200, 150)
    # Delivered pixel 30 covers sensor pixels 160 and 161, whose centre is 160.5.
    assert (30 - camera.cx) / camera.fx == pytest.approx((160.5 - 320.0) / 500.0)
    assert (10 - camera.cy) / camera.fy == pytest.approx((60.5 - 240.0) / 510.0)


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [
        ('plumb_bob', [-0.3, 0.1, 0.001, 0.002]),
        ('plumb_bob', [-0.3, 0.1, 0.001, 0.002, 0.01]),
        ('rational_polynomial', [0.1] * 8),
        ('equidistant', [0.01, 0.0, 0.0, 0.0]),
        ('equidistant', [0.0] * 4),  # a perfect fisheye lens is far from a pinhole
    ],
)
def test_a_lens_is_taken_from_the_message_unless_the_image_is_rectified(model: str, coefficients: list[float]) -> None:
    message = camera_info(K, p=[*K[:3], 0.0, *K[3:6], 0.0, *K[6:], 0.0], d=coefficients, distortion_model=model)
    calibration = calibration_from_camera_info(message)
    assert calibration is not None and calibration.lens == LensDistortion(model, tuple(coefficients))
    rectified = calibration_from_camera_info(message, rectified=True)
    assert rectified is not None and rectified.lens is None


@pytest.mark.parametrize(
    ('model', 'coefficients', 'meant', 'kept'),
    [
        ('equidistant', [0.1, -0.02, 0.01, 0.003, 0.0], 'equidistant', 4),  # RealSense T265
        ('fisheye', [0.1, -0.02, 0.01, 0.003], 'equidistant', 4),
        ('Kannala-Brandt', [0.1, -0.02, 0.01, 0.003, 0.0], 'equidistant', 4),
        ('kannala_brandt4', [0.0] * 5, 'equidistant', 4),
        ('KB4', [0.1, -0.02, 0.01, 0.003], 'equidistant', 4),
        ('equi', [0.1, -0.02, 0.01, 0.003], 'equidistant', 4),
        ('radtan', [-0.3, 0.1, 0.001, 0.002], 'plumb_bob', 4),
        ('pinhole', [-0.3, 0.1, 0.001, 0.002, 0.01], 'plumb_bob', 5),
        ('pinhole', [0.1] * 8, 'rational_polynomial', 8),
        ('PLUMB_BOB', [-0.3, 0.1, 0.001, 0.002, 0.01], 'plumb_bob', 5),
        ('plumb_bob', [-0.3, 0.1, 0.001, 0.002, 0.01, 0.0, 0.0, 0.0], 'plumb_bob', 5),
        ('rational_polynomial', [0.1] * 8 + [0.0] * 2, 'rational_polynomial', 8),
    ],
)
def test_other_names_and_counts_that_can_mean_only_one_lens_are_taken(
    model: str, coefficients: list[float], meant: str, kept: int
) -> None:
    calibration = calibration_from_camera_info(camera_info(K, d=coefficients, distortion_model=model))
    assert calibration is not None and calibration.lens == LensDistortion(meant, tuple(coefficients[:kept]))


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [('', []), ('', [0.0] * 5), ('pinhole', []), ('pinhole', [0.0] * 4), ('mei', [0.0] * 5), ('plumb_bob', [0.0] * 5)],
)
def test_without_coefficients_there_is_no_lens(model: str, coefficients: list[float]) -> None:
    calibration = calibration_from_camera_info(camera_info(K, d=coefficients, distortion_model=model))
    assert calibration is not None and calibration.lens is None


@pytest.mark.parametrize(
    ('model', 'coefficients', 'cause'),
    [
        ('mei', [0.1] * 5, 'unknown distortion'),
        ('', [0.1] * 5, 'unknown distortion'),
        ('plumb_bob', [0.1] * 3, 'bad distortion'),
        ('equidistant', [0.1] * 5, 'bad distortion'),
        ('equidistant', [], 'bad distortion'),  # a fisheye lens without coefficients is no pinhole
        ('fisheye', [0.1] * 5, 'bad distortion'),
        ('kannala_brandt', [0.1] * 8, 'bad distortion'),
        ('pinhole', [0.1] * 4, 'unknown distortion'),  # of plumb_bob or of equidistant
        ('', [0.1] * 4, 'unknown distortion'),
        ('', [0.1] * 8, 'unknown distortion'),
        ('plumb_bob', [0.1] * 8, 'bad distortion'),
        ('rational_polynomial', [0.1] * 5, 'bad distortion'),
        ('plumb_bob', [0.1, np.nan, 0.0, 0.0, 0.0], 'non-finite calibration'),
    ],
)
def test_a_lens_that_cannot_be_undone_is_refused(model: str, coefficients: list[float], cause: str) -> None:
    with pytest.raises(CalibrationError) as refused:
        calibration_from_camera_info(camera_info(K, d=coefficients, distortion_model=model))
    assert refused.value.cause == cause


def test_waiting_for_a_calibration_ends_with_the_first_of_the_right_size() -> None:
    calibration, camera = LatestCalibration(), Calibration(Intrinsics(500.0, 500.0, 320.0, 240.0, 640, 480))
    assert calibration.wait_for(640, 480, timeout=0.0) is None
    threading.Timer(0.05, calibration.set, [camera]).start()
    assert calibration.wait_for(640, 480, timeout=10.0) == camera
    assert calibration.wait_for(320, 240, timeout=0.0) == camera  # nothing better came: the caller sees the mismatch


def test_a_refused_calibration_says_what_counts_instead() -> None:
    calibration = LatestCalibration()
    assert calibration.refuse('K is bad') == 'K is bad; running uncalibrated'
    assert calibration.why_none == 'K is bad'
    calibration.set(None)
    assert 'uncalibrated' in calibration.why_none
    calibration.set(Calibration(Intrinsics(500.0, 500.0, 320.0, 240.0, 640, 480)))
    assert calibration.refuse('K is bad') == 'K is bad; keeping the calibration from before'


def test_a_camera_that_says_it_is_uncalibrated_is_not_waited_for() -> None:
    calibration = LatestCalibration()
    calibration.set(None)
    assert calibration.wait_for(640, 480, timeout=60.0) is None


def test_every_rejection_is_counted_but_each_cause_is_logged_once_per_period() -> None:
    now, logged = [0.0], []
    accounting = Accounting(logged.append, period=5.0, clock=lambda: now[0])
    for _ in range(3):
        accounting.reject('/image', 'truncated', '10 of 20 bytes')
    accounting.reject('/image', 'zero size', '0x0')
    assert logged == ['/image: 10 of 20 bytes', '/image: 0x0']
    now[0] = 5.0
    accounting.reject('/image', 'truncated', '11 of 20 bytes')
    counters = accounting.counters()
    assert logged[-1] == counters.last_error == '/image: 11 of 20 bytes'
    assert counters.rejected == 5 and counters.by_cause == {'truncated': 4, 'zero size': 1}


def test_counts_begin_anew_after_clear() -> None:
    accounting = Accounting(lambda text: None)
    accounting.count('received', 4)
    accounting.reject('/image', 'truncated', 'x')
    assert accounting.counters().received == 4
    accounting.clear()
    counters = accounting.counters()
    assert (counters.received, counters.rejected, counters.last_error) == (0, 0, '')


def test_what_goes_wrong_without_a_rejection_is_a_warning_for_a_while() -> None:
    now = [0.0]
    accounting = Accounting(lambda text: None, period=5.0, clock=lambda: now[0])
    accounting.warn('/detections', 'no boxes', '3 ms off')
    now[0] = 4.0
    accounting.warn('/detections', 'no boxes', '4 ms off')
    accounting.reject('/image', 'truncated', 'x')
    assert accounting.counters().warnings == ('/detections: 4 ms off',)
    now[0] = 9.5
    assert accounting.counters().warnings == ()
