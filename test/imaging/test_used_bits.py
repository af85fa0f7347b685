"""Images of 10, 12 and 14 bit sensors in 16 bit values are as bright as their 8 bit ones, steadily."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hand3r_ros.imaging.decoder import DecodingOptions, ImageDecoder
from hand3r_ros.imaging.used_bits import UsedBits
from hand3r_ros.media import read_image


def ramp(bits: int, brightness: float = 1.0) -> np.ndarray:
    """(40, 64) values from 0 to the largest of a sensor."""
    return np.linspace(0, brightness * (2**bits - 1), 40 * 64).reshape(40, 64).astype(np.uint16)


@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
def test_the_used_range_becomes_the_whole_one(bits: int) -> None:
    used = UsedBits()
    image = used.to_8_bit(ramp(bits))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, ramp(bits) >> (bits - 8))
    assert used.detected == bits
    assert (f'use {bits} bits' in used.note) == (bits < 16)


def test_values_in_the_upper_bits_fill_the_whole_range() -> None:
    np.testing.assert_array_equal(UsedBits().to_8_bit(ramp(12) << 4), ramp(12) >> 4)


def test_the_range_holds_while_the_scene_gets_dark_and_bright() -> None:
    used = UsedBits()
    used.to_8_bit(ramp(12))
    dark = used.to_8_bit(ramp(12, 0.05))
    np.testing.assert_array_equal(dark, ramp(12, 0.05) >> 4)
    np.testing.assert_array_equal(used.to_8_bit(ramp(12)), ramp(12) >> 4)


def test_a_range_found_in_the_dark_grows_when_two_images_go_beyond_it() -> None:
    used = UsedBits()
    used.to_8_bit(ramp(12, 0.2))  # within 10 bits
    assert used.detected == 10
    clipped = used.to_8_bit(ramp(12))
    assert used.detected == 10 and clipped.max() == 255
    np.testing.assert_array_equal(used.to_8_bit(ramp(12)), ramp(12) >> 4)


def test_one_damaged_image_changes_nothing_for_those_after_it() -> None:
    used = UsedBits()
    used.to_8_bit(ramp(10))
    used.to_8_bit(np.full((40, 64), 65535, np.uint16))
    np.testing.assert_array_equal(used.to_8_bit(ramp(10)), ramp(10) >> 2)
    np.testing.assert_array_equal(used.to_8_bit(ramp(10)), ramp(10) >> 2)


def test_a_stray_value_does_not_count() -> None:
    strayed = np.tile(ramp(10), (5, 5))
    strayed[100, 100] = 65535
    used = UsedBits()
    assert used.to_8_bit(strayed)[100, 100] == 255 and used.detected == 10


def test_another_encoding_is_another_camera() -> None:
    used = UsedBits()
    used.to_8_bit(ramp(16), 'mono16')
    assert used.to_8_bit(ramp(10), 'bayer_rggb16').max() == 255


def test_a_given_range_counts_and_nothing_is_said_about_it() -> None:
    decoder = ImageDecoder(DecodingOptions(image_bits=14))
    np.testing.assert_array_equal(decoder.to_8_bit(ramp(10)), ramp(10) >> 6)
    assert decoder.note == ''
    assert decoder.to_8_bit(ramp(16)).max() == 255


def test_going_on_from_memory_gives_the_same_images() -> None:
    first, second = UsedBits(), UsedBits()
    first.to_8_bit(ramp(10))
    first.to_8_bit(ramp(12))
    second.restore(*first.memory())
    np.testing.assert_array_equal(second.to_8_bit(ramp(12)), first.to_8_bit(ramp(12)))
    assert second.detected == first.detected == 12


@pytest.mark.parametrize('colours', [1, 3])
@pytest.mark.parametrize('extension', ['.png', '.tiff'])
def test_files_of_12_bit_sensors_are_not_black(tmp_path: Path, extension: str, colours: int) -> None:
    values = ramp(12) if colours == 1 else np.dstack([ramp(12), ramp(12)[::-1], ramp(12)[:, ::-1]])
    path = tmp_path / f'image{extension}'
    cv2.imwrite(str(path), values)
    expected = np.dstack([values] * 3) if colours == 1 else values
    np.testing.assert_array_equal(read_image(path), expected >> 4)


def test_floating_point_images_are_refused_by_name(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'depth.tiff'), ramp(12).astype(np.float32))
    with pytest.raises(ValueError, match='an image of float32 values'):
        read_image(tmp_path / 'depth.tiff')
