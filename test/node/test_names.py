"""Texts that others chose: what is repeated of them, and which frame a camera gets."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.calibration import CalibrationError, lens_from_camera_info
from hand3r_ros.node.detections import detections_from_message
from hand3r_ros.node.frames import FALLBACK_CAMERA_FRAME, camera_frame
from hand3r_ros.node.image_decoding import ImageDecodingError, decode_compressed_image, decode_image
from hand3r_ros.node.names import frame_name, shortened
from hand3r_ros.node.parameter_fields import ParameterError, from_values
from hand3r_ros.node.parameters import NodeParameters

HUGE = 'e' * 1_000_000


def test_a_long_text_is_repeated_in_part_with_its_length_and_on_one_line() -> None:
    assert shortened('rgb8') == 'rgb8'
    assert shortened('e' * 100) == 'e' * 100
    assert shortened(HUGE) == 'e' * 100 + '... (1000000 characters)'
    assert shortened('a\nb\x00') == 'a\ufffdb\ufffd'


def message_with_a_class(class_id: str) -> SimpleNamespace:
    center = SimpleNamespace(position=SimpleNamespace(x=100.0, y=50.0), theta=0.0)
    box = SimpleNamespace(center=center, size_x=20.0, size_y=20.0)
    hypothesis = SimpleNamespace(hypothesis=SimpleNamespace(class_id=class_id, score=0.5))
    return SimpleNamespace(detections=[SimpleNamespace(results=[hypothesis], bbox=box, id=HUGE)])


def test_every_name_of_a_message_is_shortened_in_what_is_said_about_it() -> None:
    said = []
    image = SimpleNamespace(width=8, height=8, encoding=HUGE, step=24, is_bigendian=0, data=bytes(192))
    for decode, message in [
        (decode_image, image),
        (decode_compressed_image, SimpleNamespace(format=HUGE, data=b'no image')),
    ]:
        with pytest.raises(ImageDecodingError) as refused:
            decode(message)
        said.append(str(refused.value))
    for model, coefficients in [(HUGE, [0.1] * 5), ('plumb_bob', [np.nan] * 100_000)]:
        with pytest.raises(CalibrationError) as wrong:
            lens_from_camera_info(SimpleNamespace(distortion_model=model, d=coefficients))
        said.append(str(wrong.value))
    said += detections_from_message(message_with_a_class(HUGE))[1]
    said.append(camera_frame(HUGE, 'hand3r_world')[1] or '')
    for name in ('preset', 'points.stride'):
        with pytest.raises(ParameterError) as bad:
            from_values(NodeParameters, {name: HUGE})
        said.append(str(bad.value))
    assert len(said) == 8
    for text in said:
        assert 'characters)' in text and len(text) < 600, text[:700]


def test_whatever_is_rejected_stays_short_in_log_and_counters() -> None:
    logged: list[str] = []
    accounting = Accounting(logged.append)
    accounting.reject('/image', 'defect', HUGE)
    assert len(logged[0]) < 600 and len(accounting.counters().last_error) < 600


def test_what_does_not_change_is_said_once_until_the_node_is_configured_again() -> None:
    logged: list[str] = []
    accounting = Accounting(logged.append, period=0.0)
    for _ in range(3):
        accounting.warn_once('/image', 'odd')
    accounting.warn_once('/image', 'even')
    assert logged == ['/image: odd', '/image: even']
    accounting.clear()
    accounting.warn_once('/image', 'odd')
    assert len(logged) == 3
    for number in range(1000):  # names that change from image to image must not fill the memory
        accounting.warn_once('/image', str(number))
    assert len(logged) < 100


@pytest.mark.parametrize(
    ('written', 'frame'),
    [('camera', 'camera'), ('/camera', 'camera'), ('//a//b/', 'a/b'), ('robot1/camera', 'robot1/camera'), ('/', '')],
)
def test_frames_are_named_as_tf_names_them(written: str, frame: str) -> None:
    assert frame_name(written) == frame
    for name in ('base_frame', 'world_frame'):
        if frame:
            assert getattr(from_values(NodeParameters, {name: written}), name) == frame


def test_base_frame_and_world_frame_are_the_same_with_and_without_a_slash() -> None:
    with pytest.raises(ParameterError, match='must differ from world_frame'):
        from_values(NodeParameters, {'base_frame': '/map', 'world_frame': 'map'})
    with pytest.raises(ParameterError, match='must not be empty'):
        from_values(NodeParameters, {'world_frame': '//'})


@pytest.mark.parametrize(
    ('frame_id', 'frame', 'problem'),
    [
        ('camera_optical', 'camera_optical', None),
        ('/camera', 'camera', "'/camera' has slashes"),
        ('//a//b/', 'a/b', 'has slashes'),
        ('', FALLBACK_CAMERA_FRAME, 'is empty'),
        ('//', FALLBACK_CAMERA_FRAME, 'is empty'),
        ('world', FALLBACK_CAMERA_FRAME, 'is the world_frame'),
        ('/world', FALLBACK_CAMERA_FRAME, 'is the world_frame'),
        ('cam\x00era', FALLBACK_CAMERA_FRAME, 'cannot be a frame'),
        (HUGE, FALLBACK_CAMERA_FRAME, 'cannot be a frame'),
    ],
)
def test_the_camera_gets_a_frame_that_tf_can_carry(frame_id: str, frame: str, problem: str | None) -> None:
    found, said = camera_frame(frame_id, 'world')
    assert found == frame
    assert (said is None) == (problem is None) and (problem or '') in (said or '')
