"""The network's image is CUT3R's to the grey level, and pixels, boxes and cameras map through it exactly."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.geometry import Intrinsics, project_points
from hand3r_ros.online.preparation import ImageGeometry, image_tensor, resize_and_crop

SIZES = st.tuples(st.integers(60, 2500), st.integers(60, 2500)).filter(lambda s: max(s) / min(s) < 10)


def test_sizes_are_those_of_the_reference(golden_cut3r):
    cases = json.loads((golden_cut3r / 'preprocess_sizes.json').read_text())
    assert len(cases) >= 20
    for case in cases:
        for name, square_ok in (('out_wh_size512', False), ('out_wh_size512_square_ok', True)):
            geometry = ImageGeometry.for_image(*case['input_wh'], long_side=512, square_ok=square_ok)
            assert [geometry.width, geometry.height] == case[name], case
        square = ImageGeometry.for_square(*case['input_wh'], side=224)
        assert [square.width, square.height] == case['out_wh_size224'], case
        assert min(square.scaled_width, square.scaled_height) == 224
        assert 0 <= square.left <= square.scaled_width - 224 and 0 <= square.top <= square.scaled_height - 224


@pytest.mark.parametrize(
    ('key', 'size', 'side', 'stride'),
    [
        ('in100x75_size224', (100, 75), 224, 4),
        ('in100x75_size64', (100, 75), 64, 1),
        ('in75x100_size64', (75, 100), 64, 1),
        ('in60x60_size64', (60, 60), 64, 1),
        ('in50x30_size96', (50, 30), 96, 1),
        ('in200x90_size128', (200, 90), 128, 1),
        ('in100x75_size512_stride8', (100, 75), 512, 8),
    ],
)
def test_pixels_are_those_of_the_reference(golden_cut3r, key, size, side, stride):
    spec = importlib.util.spec_from_file_location('golden_rule', golden_cut3r / 'golden_rule.py')
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    width, height = size
    image = rule.golden_uint8_image(height, width)
    # The published code crops a square for its 224-pixel networks only.
    geometry = (ImageGeometry.for_square if side == 224 else ImageGeometry.for_image)(width, height, side)
    tensor = image_tensor(resize_and_crop(image, geometry))
    golden = np.load(golden_cut3r / 'preprocess.npz')[key]
    assert tensor[..., ::stride, ::stride].shape == golden.shape
    # Pillow's filters are integer arithmetic; allow one grey level for other versions of it.
    assert np.abs(tensor.numpy()[..., ::stride, ::stride] - golden).max() <= 2.0 / 255.0 + 1e-6
    assert np.abs(tensor.numpy()[..., ::stride, ::stride] - golden).mean() < 1e-3


@given(SIZES, st.sampled_from([224, 512]))
def test_every_image_becomes_whole_patches_inside_the_scaled_image(size, long_side):
    geometry = ImageGeometry.for_image(*size, long_side=long_side)
    assert geometry.width % 16 == 0
    assert geometry.height % 16 == 0
    assert 0 <= geometry.left <= geometry.left + geometry.width <= geometry.scaled_width
    assert 0 <= geometry.top <= geometry.top + geometry.height <= geometry.scaled_height
    assert max(geometry.scaled_width, geometry.scaled_height) == long_side


@given(SIZES, st.lists(st.floats(-500, 3000), min_size=4, max_size=4))
def test_points_and_boxes_return_to_where_they_were(size, box):
    geometry = ImageGeometry.for_image(*size, long_side=224)
    assert np.allclose(geometry.to_source(geometry.to_network([box[:2], box[2:]])), [box[:2], box[2:]])
    assert np.allclose(geometry.boxes_to_network(box)[:2], geometry.to_network(box[:2]))
    assert np.allclose(geometry.boxes_to_network(box)[2:], geometry.to_network(box[2:]))


@given(SIZES)
def test_the_mapped_camera_sees_points_where_their_pixels_are_mapped(size):
    width, height = size
    geometry = ImageGeometry.for_image(width, height, long_side=512)
    source = Intrinsics(0.9 * width, 0.8 * width, 0.45 * width, 0.55 * height, width, height)
    points = np.array([[0.1, -0.2, 1.0], [-0.3, 0.3, 2.0], [0.0, 0.0, 0.5]])
    network = geometry.intrinsics_to_network(source)
    assert np.allclose(project_points(points, network), geometry.to_network(project_points(points, source)))
    back = geometry.intrinsics_to_source(network)
    assert np.allclose(back.matrix(), source.matrix())
    assert (back.width, back.height) == size


def test_a_pattern_lands_where_the_mapping_says():
    """A smooth ramp keeps its value at corresponding pixels: catches half-pixel shifts."""
    slope = np.array([0.37, 0.47])
    image = np.zeros((480, 640, 3), np.uint8)
    image[..., 0] = np.rint(np.arange(640) * slope[0])[None]
    image[..., 1] = np.rint(np.arange(480) * slope[1])[:, None]
    geometry = ImageGeometry.for_image(640, 480, long_side=224)
    small = resize_and_crop(image, geometry)
    network_pixels = np.stack(np.meshgrid(np.arange(20, 200), np.arange(20, 140)), -1)
    expected = geometry.to_source(network_pixels) * slope
    values = small[network_pixels[..., 1], network_pixels[..., 0], :2].astype(float)
    assert np.abs((values - expected).mean(axis=(0, 1))).max() < 0.1  # half a network pixel is 0.5 grey levels


def test_the_tiny_preset_gets_the_agreed_size():
    geometry = ImageGeometry.for_image(640, 480, long_side=224)
    assert (geometry.width, geometry.height) == (224, 160)


def test_bad_sizes_name_what_is_wrong():
    with pytest.raises(ValueError, match='too elongated'):
        ImageGeometry.for_image(4000, 30, long_side=512)
    with pytest.raises(ValueError, match='not be empty'):
        ImageGeometry.for_image(0, 30, long_side=512)
    geometry = ImageGeometry.for_image(640, 480, long_side=224)
    with pytest.raises(ValueError, match=r'image must have shape \(480, 640, 3\)'):
        resize_and_crop(np.zeros((10, 10, 3), np.uint8), geometry)
    with pytest.raises(ValueError, match='intrinsics are for 320 x 240'):
        geometry.intrinsics_to_network(Intrinsics(1, 1, 0, 0, 320, 240))
