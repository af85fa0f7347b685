"""Several views of the same features tell their depths and the poses better than one predicted pointmap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform, project_points, transform_points
from hand3r_ros.online.track_refinement import PastViews, RefinementNoise, Tracks, refined, reprojection_errors

CAMERA = Intrinsics(500.0, 500.0, 320.0, 240.0, 640, 480)
FEATURES, VIEWS = 120, 7
NOISE = RefinementNoise()


class Walk:
    """A camera that moves sideways past points 1 to 3 m away, of whose depths it was told something wrong."""

    def __init__(self, seed: int, metres: float = 0.25, depth_error: float = 0.25, pixel_error: float = 0.3) -> None:
        rng = np.random.default_rng(seed)
        depth = rng.uniform(1.0, 3.0, FEATURES)
        pixels = rng.uniform([40.0, 40.0], [600.0, 440.0], (FEATURES, 2))
        rays = np.column_stack([(pixels - [CAMERA.cx, CAMERA.cy]) / [CAMERA.fx, CAMERA.fy], np.ones(FEATURES)])
        self.points = rays * depth[:, None]
        self.log_depth = np.log(depth)
        self.poses = []
        for part in np.linspace(0.0, 1.0, VIEWS):
            turn = Rotation.from_rotvec(0.1 * part * rng.normal(size=3)).as_matrix()
            self.poses.append(invert_transform(make_transform(turn, metres * part * np.array([1.0, 0.2, 0.1]))))
        self.seen = [
            (project_points(transform_points(pose, self.points), CAMERA) + pixel_error * rng.normal(size=(FEATURES, 2)))
            for pose in self.poses
        ]
        told = depth * np.exp(depth_error * rng.normal(size=FEATURES))
        self.tracks = replace(
            Tracks.on_rays(pixels.astype(np.float32), rays * told[:, None], np.eye(4)),
            pixels=self.seen[-1].astype(np.float32),
        )
        # Every pose but the first is off as one that trusted such depths would be.
        started = [
            make_transform(Rotation.from_rotvec(0.01 * rng.normal(size=3)).as_matrix(), 0.02 * rng.normal(size=3))
            @ pose
            for pose in self.poses
        ]
        started[0] = self.poses[0]
        self.views = PastViews(np.stack(started[:-1]), np.stack(self.seen[:-1]).astype(np.float32))
        self.guess = started[-1]

    def depth_errors(self, tracks: Tracks) -> np.ndarray:
        """Relative, after the common factor that no view can tell."""
        wrong = tracks.log_depth - self.log_depth
        return np.abs(wrong - np.median(wrong))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_views_from_other_places_correct_predicted_depths_and_the_pose(seed: int) -> None:
    walk = Walk(seed)
    tracks, _, pose = refined(walk.tracks, walk.views, walk.guess, CAMERA, NOISE)
    assert np.median(walk.depth_errors(walk.tracks)) > 0.1
    assert np.median(walk.depth_errors(tracks)) < 0.02
    errors = reprojection_errors(tracks, pose, CAMERA)
    assert np.median(errors) < 0.6
    # The direction of the way is right; its length is as uncertain as the mean of the predicted depths.
    moved, true = (invert_transform(one)[:3, 3] for one in (pose, walk.poses[-1]))
    assert moved @ true / np.linalg.norm(moved) / np.linalg.norm(true) > 0.995
    assert 0.8 < np.linalg.norm(moved) / np.linalg.norm(true) < 1.25


def test_refinement_leaves_exact_depths_and_poses_where_they_are() -> None:
    walk = Walk(3, depth_error=0.0, pixel_error=0.0)
    exact = replace(walk.views, T_camera_world=np.stack(walk.poses[:-1]))
    tracks, views, pose = refined(walk.tracks, exact, walk.poses[-1], CAMERA, NOISE)
    np.testing.assert_allclose(tracks.log_depth, walk.log_depth, atol=1e-4)
    np.testing.assert_allclose(pose, walk.poses[-1], atol=1e-4)
    np.testing.assert_allclose(views.T_camera_world, walk.poses[:-1], atol=1e-4)


def test_a_camera_that_only_turns_leaves_depths_as_predicted() -> None:
    walk = Walk(4, metres=0.0)
    tracks, _, pose = refined(walk.tracks, walk.views, walk.guess, CAMERA, NOISE)
    assert np.abs(tracks.log_depth - walk.tracks.predicted_log_depth).mean() < 0.05  # of errors of 0.2 on average
    assert np.linalg.norm(invert_transform(pose)[:3, 3]) < 0.005


def test_a_few_features_that_move_by_themselves_change_little() -> None:
    walk = Walk(5)
    pixels = walk.tracks.pixels.copy()
    pixels[:8] += np.float32([12.0, -9.0])
    tracks, _, pose = refined(replace(walk.tracks, pixels=pixels), walk.views, walk.guess, CAMERA, NOISE)
    assert np.median(walk.depth_errors(tracks)[8:]) < 0.03
    errors = reprojection_errors(tracks, pose, CAMERA)
    assert errors[:8].min() > 3.0
    assert np.median(errors[8:]) < 1.0


@pytest.mark.parametrize('count', [0, 1, 5])
def test_few_features_are_not_fatal(count: int) -> None:
    walk = Walk(6)
    few = np.arange(count)
    tracks, views, pose = refined(walk.tracks.only(few), walk.views.only(few), walk.guess, CAMERA, NOISE)
    assert len(tracks.log_depth) == count and views.pixels.shape == (VIEWS - 1, count, 2)
    assert np.isfinite(pose).all() and np.isfinite(tracks.log_depth).all()


def test_without_past_views_the_pose_follows_the_predicted_depths() -> None:
    walk = Walk(7, depth_error=0.0, pixel_error=0.0)
    none = PastViews.none().with_new_tracks(FEATURES)
    _, _, pose = refined(walk.tracks, none, walk.guess, CAMERA, NOISE)
    np.testing.assert_allclose(pose, walk.poses[-1], atol=2e-3)


def test_features_behind_the_camera_count_for_nothing() -> None:
    walk = Walk(8)
    backwards = make_transform(Rotation.from_rotvec([0.0, np.pi, 0.0]).as_matrix(), np.zeros(3))
    assert np.isinf(reprojection_errors(walk.tracks, backwards, CAMERA)).all()
    tracks, _, pose = refined(walk.tracks, walk.views, backwards, CAMERA, NOISE)
    assert np.isfinite(pose).all() and np.isfinite(tracks.log_depth).all()


def test_past_views_are_few_keep_the_oldest_and_forget_what_sees_nothing_any_more() -> None:
    views = PastViews.none().with_new_tracks(20)
    rng = np.random.default_rng(0)
    for number in range(12):
        pose = make_transform(np.eye(3), [-0.1 * number, 0.0, 0.0])
        views = views.with_view(pose, rng.uniform(0, 100, (20, 2)).astype(np.float32), most=5, least_seen=6)
        assert len(views.pixels) == min(number + 1, 5)
    centers = -views.T_camera_world[:, 0, 3]
    assert centers[0] == 0.0 and centers[-1] == pytest.approx(1.1)
    assert (np.diff(centers) > 0.0).all()
    # Fifteen tracks are lost and as many new ones found, which only new views see.
    views = views.only(np.arange(5)).with_new_tracks(15)
    views = views.with_view(np.eye(4), rng.uniform(0, 100, (20, 2)).astype(np.float32), most=5, least_seen=6)
    assert len(views.pixels) == 1
