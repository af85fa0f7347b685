"""Effects of lens and shutter: bounded distortion, blur only along motion, noise only where asked for."""

import numpy as np
import pytest

from hand3r_lab.scenes.camera_effects import CameraEffects, random_effects
from hand3r_lab.scenes.camera_path import look_at
from hand3r_lab.scenes.motion_blur import (
    MAX_DISTORTION,
    Motion,
    camera_motion,
    displacement,
    pixel_flow,
    resample,
)
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_ros.geometry import Intrinsics, invert_transform, project_points, transform_points, unproject_depth

WIDTH, HEIGHT = 64, 48


def picture(seed=0):
    return np.random.default_rng(seed).uniform(0.0, 1.0, (HEIGHT, WIDTH, 3)).astype(np.float32)


@pytest.mark.parametrize('distortion', [-MAX_DISTORTION, MAX_DISTORTION])
def test_distortion_is_largest_at_the_corner_and_bounded(distortion):
    size = 320, 240
    corner = np.hypot(*displacement(319.0, 239.0, *size, distortion))
    assert corner == pytest.approx(MAX_DISTORTION * 159.5, rel=1e-6)
    inside = [np.hypot(*displacement(u, v, *size, distortion)) for u in range(0, 320, 29) for v in range(0, 240, 29)]
    assert max(inside) <= corner
    assert np.hypot(*displacement(159.5, 119.5, *size, distortion)) == 0.0


def test_barrel_distortion_shows_what_lies_further_outside():
    ramp = np.broadcast_to(np.abs(np.arange(WIDTH) - 31.5)[None, :, None], (HEIGHT, WIDTH, 3)).astype(np.float32)
    assert resample(ramp, 0.006, None)[5, 5, 0] > ramp[5, 5, 0] > resample(ramp, -0.006, None)[5, 5, 0]


def test_random_cameras_stay_within_the_bound_and_differ():
    cameras = [random_effects(np.random.default_rng(seed)) for seed in range(60)]
    assert max(abs(one.distortion) for one in cameras) <= MAX_DISTORTION
    assert min(one.distortion for one in cameras) < 0.0 < max(one.distortion for one in cameras)
    assert min(one.shutter for one in cameras) < 1.0 / 150.0 and max(one.shutter for one in cameras) > 1.0 / 50.0
    assert min(one.noise for one in cameras) < 0.005 and max(one.noise for one in cameras) > 0.015


def test_a_still_picture_is_not_blurred():
    still = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    effects = CameraEffects(shutter=0.03)
    np.testing.assert_array_equal(effects.apply(picture(), 1, still), effects.apply(picture(), 1))
    np.testing.assert_array_equal(resample(picture(), 0.0, still), picture())


def test_blur_follows_the_direction_of_the_motion():
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[..., 0] = 8.0
    blurred = resample(picture(), 0.0, flow)[:, 8:-8]
    sharp = picture()[:, 8:-8]
    along = np.abs(np.diff(blurred, axis=1)).mean() / np.abs(np.diff(sharp, axis=1)).mean()
    across = np.abs(np.diff(blurred, axis=0)).mean() / np.abs(np.diff(sharp, axis=0)).mean()
    assert along < 0.25 < across
    stripes = np.broadcast_to(picture()[:, :1], picture().shape).astype(np.float32)  # constant along the motion
    np.testing.assert_allclose(resample(stripes, 0.0, flow), stripes, atol=1e-6)


def test_flow_is_where_points_go_while_the_shutter_is_open():
    """Against projecting every pixel's point through the cameras at both ends of a short exposure."""
    intrinsics = Intrinsics.from_field_of_view(70.0, WIDTH, HEIGHT)
    time = np.array([-0.01, 0.0, 0.01])
    position = np.array([0.1, -0.2, 1.2]) + time[:, None] * [0.5, 0.3, -0.4]
    aim = np.array([0.0, 0.4, 0.7]) + time[:, None] * [0.2, -0.6, 0.3]
    path = look_at(position, aim, 0.4 * time)
    depth = np.random.default_rng(1).uniform(0.4, 2.0, (HEIGHT, WIDTH)).astype(np.float32)
    moved = np.full((HEIGHT, WIDTH), 7, np.uint8)
    velocity = np.array([0.3, -0.2, 0.5])
    motion = camera_motion(path, 1, 100.0)
    motion.instances[7] = path[1, :3, :3].T @ velocity
    flow = pixel_flow(depth, moved, intrinsics, motion, 0.02)
    points = transform_points(path[1], unproject_depth(depth, intrinsics).reshape(-1, 3))
    ends = [
        project_points(transform_points(invert_transform(path[k]), points + time[k] * velocity), intrinsics)
        for k in (0, 2)
    ]
    expected = (ends[1] - ends[0]).reshape(HEIGHT, WIDTH, 2)
    short = np.linalg.norm(expected, axis=-1) < 3.5  # longer smears are cut
    assert short.mean() > 0.8
    np.testing.assert_allclose(flow[short], expected[short], atol=0.03)


def test_smears_are_limited():
    intrinsics = Intrinsics.from_field_of_view(70.0, WIDTH, HEIGHT)
    racing = Motion(np.array([50.0, 0.0, 0.0]), np.zeros(3), np.zeros((256, 3)))
    flow = pixel_flow(
        np.ones((HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH), np.uint8), intrinsics, racing, 0.1
    )
    assert 1.0 < np.linalg.norm(flow, axis=-1).max() < 0.07 * WIDTH


def test_rendered_hands_blur_as_their_wrists_move():
    """The velocity of a hand's pixels is that of its wrist, seen in the camera's axes."""
    sequence = Sequence(5, SceneConfig(width=96, height=72, frames=4, fps=4.0, hands='both'))
    motion = sequence._motion(1)
    for hand, instance in zip(sequence.hands, (140, 160), strict=True):
        travel = hand.motion.wrist[2] - hand.motion.wrist[0]
        travel[0] *= -1.0 if instance == 140 else 1.0  # left hands are planned mirrored
        seen = sequence.T_world_camera[1, :3, :3] @ motion.instances[instance]
        np.testing.assert_allclose(seen, travel * 2.0, atol=1e-9)  # from frame 0 to frame 2 in half a second
    assert max(np.linalg.norm(motion.instances[hand]) for hand in (140, 160)) > 0.01


def test_without_effects_the_picture_is_the_pinholes():
    linear = picture()
    shown = CameraEffects().apply(linear, 3)
    order = np.argsort(linear.reshape(-1))
    assert (np.diff(shown.reshape(-1)[order].astype(int)) >= 0).all()  # only the tone curve
    noisy = CameraEffects(noise=0.02).apply(linear, 3)
    assert 3.0 < (noisy.astype(float) - shown).std() < 6.0
