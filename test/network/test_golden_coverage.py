"""Every file and array of the golden data is compared by a test, or stands here with the reason why not.

A row of ``COMPARED`` names the test that reads arrays of a file; a row of ``LEFT_OUT`` argues why none does. The
rollouts of the scene stream check by themselves that they looked at every array of their file.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import cut3r_golden
import hamer_golden
import numpy as np
import pytest

from hand3r_ros.geometry import transform_points
from hand3r_ros.network.hand.crop import crop_square

pytestmark = [cut3r_golden.needs_golden, hamer_golden.needs_golden]

TESTS = Path(__file__).resolve().parents[1]
NOT_DATA = {'golden_cut3r/golden_rule.py', 'golden_hamer/detgen.py', 'golden_hamer/README.md'}


class Row(NamedTuple):
    """Arrays of golden files, as regular expressions, and a test or a reason."""

    file: str
    arrays: str
    argument: str


COMPARED = [
    Row(r'golden_cut3r/golden\.json', '', 'network/test_scene_golden.py::test_small_rollout_agrees'),
    Row(r'golden_cut3r/small_raymap_query\.npz', '.*', 'network/test_scene_golden.py::test_a_ray_map_alone'),
    Row(
        r'golden_cut3r/small_(plain|portrait|masks|linear|raymap_forward|raymap_recurrent|lighter_\w+|ttt3r_forward)'
        r'\.npz',
        '.*',
        'network/test_scene_golden.py::test_small_rollout_agrees',
    ),
    Row(r'golden_cut3r/full_\w+\.npz', '.*', 'network/test_scene_golden.py::test_full_size_rollout'),
    Row(
        r'golden_cut3r/geometry\.npz',
        '(map|rgb)_.*|rgb|pose_raw|pose_activated',
        'network/test_scene_parts.py::test_act',
    ),
    Row(r'golden_cut3r/geometry\.npz', 'pose_(c2w|reencoded)', 'network/test_pose.py::test_'),
    Row(r'golden_cut3r/geometry\.npz', 'ray_.*', 'network/test_scene_parts.py::test_ray_map_agrees'),
    Row(r'golden_cut3r/geometry\.npz', 'focal_(pts3d|weiszfeld)', 'online/test_intrinsics.py::test_it_is_that'),
    Row(r'golden_cut3r/geometry\.npz', 'geotrf', 'network/test_golden_coverage.py::test_points_are_moved'),
    Row(r'golden_cut3r/preprocess\.npz', '.*', 'online/test_preparation.py::test_pixels_are_those'),
    Row(r'golden_cut3r/preprocess_sizes\.json', '', 'online/test_preparation.py::test_sizes_are_those'),
    Row(
        r'golden_cut3r/losses\.npz',
        r'gt\d/(camera_pose|pts3d|valid_mask|is_metric)',
        'lab/training/test_losses.py::test_',
    ),
    Row(
        r'golden_cut3r/losses\.npz', r'pred\d/(conf|conf_self|camera_pose)', 'lab/training/test_losses.py::golden_scale'
    ),
    Row(r'golden_cut3r/losses\.npz', r'out/gt_self\d', 'lab/training/test_losses.py::test_the_normalisation'),
    Row(r'golden_cut3r/losses\.npz', r'out/(gt|pr)_pose\d', 'lab/training/test_losses.py::test_the_pose_loss'),
    Row(r'golden_hamer/hamer_full\.(npz|json)', '(?!focal).*', 'network/test_hand_golden.py::test_full_size_network'),
    Row(r'golden_hamer/hamer_reduced\.(npz|json)', '(?!focal).*', 'network/test_hand_golden.py::test_reduced_network'),
    Row(r'golden_hamer/crop_cv4\.npz', '.*_(sub|rows)', 'network/test_crop.py::test_crop_is_that'),
    Row(r'golden_hamer/crop\.(npz|json)', '.*_(sub|rows)|', 'network/test_crop.py::test_crop_is_close'),
    Row(r'golden_hamer/crop(_cv4)?\.npz', '.*_trans', 'network/test_golden_coverage.py::test_crop_squares'),
    Row(r'golden_hamer/camera\.(npz|json)', '.*', 'network/test_hand_camera.py::test_translation_agrees'),
    Row(r'golden_hamer/rotations\.(npz|json)', 'rot6d|rotmat|', 'network/test_rotations.py::test_'),
    Row(r'golden_hamer/rotations\.npz', 'aa(_.*)?', 'network/test_rotations.py::test_'),
    Row(
        r'golden_hamer/mano\.(npz|json)',
        'rotmats|betas|vertices_sub|joints21_openpose|joints16_mano|rest_vertices_sub|',
        'hand_model/test_layer.py::test_agrees_with_the_golden_hands',
    ),
    Row(
        r'golden_hamer/metrics\.(npz|json)',
        r'T\d+_(w|wa|pa|abs|rootrel)_jpe|T\d+_accel_err|',
        'lab/evaluation/test_metrics.py::test_hand_metrics',
    ),
    Row(r'golden_hamer/metrics\.npz', 'reflect_.*', 'lab/evaluation/test_metrics.py::test_a_mirrored_hand'),
    Row(
        r'golden_hamer/metrics\.npz',
        r'T\d+_(local_jpe|hamer_pa_mm|hamer_mpjpe_mm)',
        'network/test_golden_coverage.py::test_left_out_metrics_repeat',
    ),
]

LEFT_OUT = [
    Row(
        r'golden_cut3r/geometry\.npz', 'focal_median', 'an alternative no published entry point uses; ours is Weiszfeld'
    ),
    Row(
        r'golden_cut3r/losses\.npz',
        r'gt\d/(sky_mask|img|img_mask|ray_mask|camera_only|depth_only|single_view)|pred\d/(pts3d.*|rgb)'
        r'|out/(conf_loss.*|pose_loss|rgb_loss|sum|pose_masks|(gt|pr)_cross\d|pr_self\d)',
        'sums over non-metric, sky, depth-only and colour terms; the stages here train on metric data without them, '
        'and the terms they keep are compared',
    ),
    Row(r'golden_hamer/hamer_\w+\.npz', 'focal_length', 'the constant 5000, an input of the original'),
    Row(
        r'golden_hamer/mano\.npz',
        'transl|joints21_transl|rest_joints16|(aa|pca)\\w+|go|hp\\d+',
        'other entry points of smplx (translation, axis-angle, PCA); the layer here takes rotation matrices',
    ),
    Row(
        r'golden_hamer/metrics\.npz',
        r'T\d+_(\w+_aligned_sub|\w+_sRt|rte|pck_curve_pa)',
        'intermediate results of the compared errors, and metrics that no table of this project reports',
    ),
]


def golden_items() -> list[tuple[str, str]]:
    """Every (file, array) of both folders; '' for a file that is no archive."""
    items = []
    for folder in (cut3r_golden.FOLDER, hamer_golden.FOLDER):
        for path in sorted(folder.iterdir()):
            name = f'{folder.name}/{path.name}'
            if path.suffix == '.npz':
                with np.load(path) as file:
                    items += [(name, array) for array in file.files]
            elif name not in NOT_DATA:
                items.append((name, ''))
    return items


def matches(row: Row, item: tuple[str, str]) -> bool:
    return bool(re.fullmatch(row.file, item[0]) and re.fullmatch(row.arrays, item[1]))


def test_every_golden_array_is_compared_or_left_out_for_a_reason() -> None:
    items = golden_items()
    assert len(items) > 1500
    forgotten = [item for item in items if not any(matches(row, item) for row in COMPARED + LEFT_OUT)]
    assert not forgotten
    both = [i for i in items if any(matches(r, i) for r in COMPARED) and any(matches(r, i) for r in LEFT_OUT)]
    assert not both


@pytest.mark.parametrize('row', COMPARED + LEFT_OUT, ids=lambda row: f'{row.file} {row.arrays}'[:60])
def test_rows_are_about_something(row: Row) -> None:
    assert any(matches(row, item) for item in golden_items())


@pytest.mark.parametrize('row', COMPARED, ids=lambda row: row.argument)
def test_the_named_tests_exist(row: Row) -> None:
    file, name = row.argument.split('::')
    tree = ast.parse((TESTS / file).read_text())
    assert any(isinstance(node, ast.FunctionDef) and node.name.startswith(name) for node in tree.body)


def test_crop_squares_are_those_of_the_published_code() -> None:
    width = hamer_golden.generators().synth_image().shape[1]
    for file in ('crop', 'crop_cv4'):
        golden = hamer_golden.arrays(file)
        for case in hamer_golden.description('crop')['cases']:
            if f'{case["key"]}_trans' not in golden:
                continue
            center, size = crop_square(case['box'], case['rescale_factor'])
            center_x = center[0] if case['right'] else width - center[0] - 1.0
            scale = 256.0 / size
            expected = [[scale, 0.0, 128.0 - scale * center_x], [0.0, scale, 128.0 - scale * center[1]]]
            np.testing.assert_allclose(golden[f'{case["key"]}_trans'], expected, atol=1e-3)


@pytest.mark.parametrize('frames', [7, 30, 100])
def test_left_out_metrics_repeat_compared_ones(frames: int) -> None:
    golden = hamer_golden.arrays('metrics')
    procrustes = golden[f'T{frames}_pa_jpe']
    np.testing.assert_allclose(golden[f'T{frames}_local_jpe'], procrustes, atol=1e-6)
    np.testing.assert_allclose(golden[f'T{frames}_hamer_pa_mm'], 1e3 * procrustes, atol=1e-3)
    np.testing.assert_allclose(golden[f'T{frames}_hamer_mpjpe_mm'], 1e3 * golden[f'T{frames}_abs_jpe'], atol=1e-3)


def test_points_are_moved_as_in_the_published_code() -> None:
    golden = cut3r_golden.arrays('geometry')
    moved = transform_points(golden['pose_c2w'][0], golden['focal_pts3d'][0])
    np.testing.assert_allclose(moved, golden['geotrf'][0], atol=1e-6)
