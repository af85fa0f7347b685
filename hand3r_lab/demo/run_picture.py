"""The picture of a run from what the collector kept. No ROS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.demo.collector import Collector
from hand3r_lab.demo.run_record import FrameRecord, SeenHand
from hand3r_lab.demo.summary import Summary, for_picture
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.node.image_correction import mirrored_box, mirrored_calibration, mirrored_pixels
from hand3r_ros.node.lens import Calibration
from hand3r_ros.visualization.hands import DrawnHand
from hand3r_ros.visualization.overlay import estimate_intrinsics
from hand3r_ros.visualization.picture import PictureContent, compose_picture
from hand3r_ros.visualization.scene_view import SceneToDraw


def draw_run(collector: Collector, summary: Summary, subtitle: str, mirrored: bool = False) -> NDArray[np.uint8] | None:
    """(H, W, 3) RGB; None when no image was processed. ``mirrored`` images are drawn as the camera saw the world."""
    if collector.best_moment is None:
        return None
    stamp, image = collector.best_moment
    record = collector.run.at(stamp)
    hands = [drawn for hand in record.hands or () if (drawn := _drawn(collector, record, hand)) is not None]
    if mirrored:
        hands = [_unmirrored(hand, image.shape[1]) for hand in hands]
        image = np.ascontiguousarray(image[:, ::-1])
    poses = [other.T_world_camera for other in collector.run.longest_session() if other.T_world_camera is not None]
    here = np.eye(4) if record.T_world_camera is None else record.T_world_camera
    scene = SceneToDraw(
        points=collector.map_points,
        colors=collector.map_colors,
        path=np.stack(poses) if poses else here[None],
        T_world_camera=here,
        intrinsics=_intrinsics(collector, image, hands, mirrored),
        hands=hands,
    )
    return compose_picture(PictureContent(image, scene, 'hand3r_ros', subtitle, for_picture(summary)))


def _drawn(collector: Collector, record: FrameRecord, hand: SeenHand) -> DrawnHand | None:
    keypoints = record.keypoints_camera(hand)
    vertices = record.points_camera(hand, hand.vertices)
    faces = collector.faces.get(hand.side)
    if keypoints is None or vertices is None:
        return None
    if faces is None:
        faces, vertices = np.zeros((0, 3), np.int64), np.zeros((0, 3))
    return DrawnHand(hand.side, hand.score, hand.box, vertices, keypoints, hand.keypoints_image, faces)


def _unmirrored(hand: DrawnHand, width: int) -> DrawnHand:
    pixels = mirrored_pixels(hand.keypoints_image, width)
    return replace(hand, box=mirrored_box(hand.box, width), keypoints_image=pixels)


def _intrinsics(collector: Collector, image: NDArray[np.uint8], hands: list[DrawnHand], mirrored: bool) -> Intrinsics:
    """The calibration; without one the camera that explains where the node saw the keypoints."""
    height, width = image.shape[:2]
    known = collector.intrinsics
    if known is not None and (known.width, known.height) == (width, height):
        return mirrored_calibration(Calibration(known)).intrinsics if mirrored else known
    points = np.concatenate([hand.keypoints for hand in hands]) if hands else np.zeros((0, 3))
    pixels = np.concatenate([hand.keypoints_image for hand in hands]) if hands else np.zeros((0, 2))
    return estimate_intrinsics(points, pixels, width, height)
