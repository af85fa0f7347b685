"""Crop camera to metres and pixels."""

from __future__ import annotations

import hamer_golden
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.network.hand.camera import (
    crop_translation,
    full_image_translation,
    mirror_crop_camera,
    perspective_translation,
    project_to_crop,
    project_to_image,
)


def golden_tensors() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in hamer_golden.arrays('camera').items()}


@hamer_golden.needs_golden
def test_crop_camera_and_its_projection_agree_with_the_published_code() -> None:
    golden = golden_tensors()
    torch.testing.assert_close(crop_translation(golden['pred_cam']), golden['crop_cam_t'], rtol=1e-6, atol=1e-6)
    found = project_to_crop(golden['points'], golden['pred_cam'])
    torch.testing.assert_close(found, golden['keypoints_2d_crop'], rtol=1e-5, atol=1e-5)


@hamer_golden.needs_golden
@pytest.mark.parametrize(('name', 'focal'), [('full_f5000', 5000.0), ('full_f37500', 37500.0), ('full_f1060', 1060.0)])
def test_translation_agrees_with_the_published_code(name: str, focal: float) -> None:
    golden = golden_tensors()
    found = full_image_translation(
        golden['pred_cam'],
        golden['box_center'],
        golden['box_size'],
        torch.full((12, 2), focal),
        golden['img_size'] / 2.0,
    )
    torch.testing.assert_close(found, golden[name], rtol=1e-5, atol=1e-5)


@hamer_golden.needs_golden
def test_projection_into_the_full_image_agrees_with_the_published_code() -> None:
    golden = golden_tensors()
    focal, principal = torch.full((12, 2), 37500.0), golden['img_size'] / 2.0
    translation = full_image_translation(
        golden['pred_cam'].double(),
        golden['box_center'].double(),
        golden['box_size'].double(),
        focal.double(),
        principal,
    )
    pixels = project_to_image(golden['points'] + translation[:, None], focal, principal)
    torch.testing.assert_close(pixels.float(), golden['full_image_uv'], rtol=1e-5, atol=2e-2)


@hamer_golden.needs_golden
def test_every_golden_camera_array_is_used() -> None:
    inputs = {'pred_cam', 'box_center', 'box_size', 'img_size', 'points'}
    results = {'crop_cam_t', 'keypoints_2d_crop', 'full_image_uv', 'full_f5000', 'full_f37500', 'full_f1060'}
    assert set(hamer_golden.arrays('camera')) == inputs | results


@st.composite
def hand_views(draw: st.DrawFn) -> tuple[torch.Tensor, ...]:
    """crop camera, center, size, focal, principal of one hand, in float64."""
    number = lambda low, high: draw(st.floats(low, high, allow_nan=False))  # noqa: E731
    crop_camera = torch.tensor([[number(1.0, 8.0), number(-0.2, 0.2), number(-0.2, 0.2)]], dtype=torch.float64)
    center = torch.tensor([[number(0.0, 640.0), number(0.0, 480.0)]], dtype=torch.float64)
    size = torch.tensor([number(60.0, 600.0)], dtype=torch.float64)
    focal = torch.tensor([[number(300.0, 1500.0), number(300.0, 1500.0)]], dtype=torch.float64)
    principal = torch.tensor([[number(250.0, 390.0), number(180.0, 300.0)]], dtype=torch.float64)
    return crop_camera, center, size, focal, principal


@settings(max_examples=50, deadline=None)
@given(view=hand_views())
def test_model_origin_lands_where_the_crop_shows_it(view: tuple[torch.Tensor, ...]) -> None:
    """For any focal length and principal point: only the depth is ambiguous in a crop, never the pixel."""
    crop_camera, center, size, focal, principal = view
    focal = focal[:, :1].expand(-1, 2)
    origin = torch.zeros(1, 1, 3, dtype=torch.float64)
    in_crop = project_to_crop(origin, crop_camera)[:, 0] * size[:, None] + center
    translation = full_image_translation(crop_camera, center, size, focal, principal)
    in_image = project_to_image(origin + translation[:, None], focal, principal)[:, 0]
    torch.testing.assert_close(in_image, in_crop, rtol=0.0, atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(view=hand_views())
def test_left_hand_is_the_mirror_image(view: tuple[torch.Tensor, ...]) -> None:
    """Mirroring the image about the principal point mirrors the translation."""
    crop_camera, center, size, focal, principal = view
    mirrored_center = torch.stack([2 * principal[:, 0] - center[:, 0], center[:, 1]], dim=-1)
    right = full_image_translation(crop_camera, mirrored_center, size, focal, principal)
    as_left = mirror_crop_camera(crop_camera, torch.tensor([False]))
    left = full_image_translation(as_left, center, size, focal, principal)
    torch.testing.assert_close(left, right * torch.tensor([-1.0, 1.0, 1.0]), rtol=1e-9, atol=1e-9)


def test_right_hands_keep_their_crop_camera() -> None:
    cameras = torch.tensor([[4.0, 0.1, 0.2], [5.0, 0.3, -0.1]])
    found = mirror_crop_camera(cameras, torch.tensor([True, False]))
    torch.testing.assert_close(found, torch.tensor([[4.0, 0.1, 0.2], [5.0, -0.3, -0.1]]))


def test_depth_grows_with_the_true_focal_length() -> None:
    arguments = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([[320.0, 240.0]]), torch.tensor([200.0])
    principal = torch.tensor([[320.0, 240.0]])
    near, far = (full_image_translation(*arguments, torch.full((1, 2), f), principal) for f in (400.0, 800.0))
    np.testing.assert_allclose(near.numpy(), [[0.0, 0.0, 1.0]], atol=1e-6)
    np.testing.assert_allclose(far.numpy(), [[0.0, 0.0, 2.0]], atol=1e-6)


def test_points_behind_the_camera_give_finite_pixels_and_gradients() -> None:
    points = torch.tensor([[[0.1, 0.1, -0.5], [0.0, 0.0, 0.0]]], requires_grad=True)
    pixels = project_to_image(points, torch.full((1, 2), 500.0), torch.zeros(1, 2))
    pixels.sum().backward()
    assert torch.isfinite(pixels).all()
    assert points.grad is not None and torch.isfinite(points.grad).all()


@settings(max_examples=50, deadline=None)
@given(
    x=st.floats(-0.4, 0.4),
    y=st.floats(-0.3, 0.3),
    z=st.floats(0.25, 3.0),
    seed=st.integers(0, 1000),
)
def test_a_hand_seen_in_perspective_is_put_where_it_is(x: float, y: float, z: float, seed: int) -> None:
    """Unequal focal lengths and a principal point far from the middle of the image."""
    generator = torch.Generator().manual_seed(seed)
    points = 0.06 * torch.randn(2, 21, 3, generator=generator, dtype=torch.float64).clamp(-2.0, 2.0)
    translation = torch.tensor([[x, y, z], [-x, y, 1.5 * z]], dtype=torch.float64)
    focal, principal = torch.tensor([610.0, 588.0]).double(), torch.tensor([250.0, 290.0]).double()
    pixels = project_to_image(points + translation[:, None], focal, principal)
    found = perspective_translation(points, pixels, focal, principal)
    torch.testing.assert_close(found, translation, rtol=1e-7, atol=1e-7)


def test_perspective_tells_a_hand_that_points_at_the_camera_from_one_across() -> None:
    """HaMeR's formula takes the distance of the whole hand for that of the wrist; the true camera knows better."""
    reach = torch.linspace(0.0, 0.18, 21, dtype=torch.float64)
    across = 0.03 * torch.sin(torch.arange(21.0, dtype=torch.float64))
    points = torch.stack([across, across.roll(3), -reach], dim=-1)[None]  # fingers towards the camera
    wrist = torch.tensor([[0.05, -0.04, 0.6]], dtype=torch.float64)
    focal, principal = torch.tensor([600.0, 600.0]).double(), torch.tensor([320.0, 240.0]).double()
    center, size = torch.tensor([[370.0, 200.0]]).double(), torch.tensor([250.0]).double()
    pixels = project_to_image(points + wrist[:, None], focal, principal)
    in_crop = (pixels - center) / size
    middle, seen = points[..., :2].mean(1, keepdim=True), in_crop.mean(1, keepdim=True)
    half = ((points[..., :2] - middle) * (in_crop - seen)).sum() / (points[..., :2] - middle).square().sum()
    crop_camera = torch.cat([2.0 * half[None, None], seen[:, 0] / half - middle[:, 0]], dim=-1)
    published = full_image_translation(crop_camera, center, size, focal, principal)
    shown = center[:, None] + size * project_to_crop(points, crop_camera)
    ours = perspective_translation(points, shown, focal, principal)
    assert float((published - wrist).norm()) > 0.06
    assert float((ours - wrist).norm()) < 0.02


def test_points_without_extent_give_finite_translations() -> None:
    found = perspective_translation(
        torch.zeros(1, 21, 3), torch.full((1, 21, 2), 100.0), torch.full((2,), 500.0), torch.zeros(2)
    )
    assert torch.isfinite(found).all()
