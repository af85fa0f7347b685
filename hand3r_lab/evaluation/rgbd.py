"""``hand3r-lab evaluate --rgbd``: depth and camera path on a real RGB-D recording, with its depth and without.

A folder holds images with depth (``color_*`` and ``depth_*``, or ``rgb`` and ``depth``), ``intrinsics.txt`` (3x3) and
``poses.txt`` (one row of 16 numbers per image: camera to world). The readings are the truth. With 'holes' blocks that
hold a fifth of the readings are hidden from the reconstruction, which is judged there alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_lab.evaluation.metrics import depth_errors, trajectory_errors
from hand3r_ros.geometry import Intrinsics, invert_transform, transform_points
from hand3r_ros.media import image_folder, read_image
from hand3r_ros.offline.depth_files import color_folder, depth_beside, read_depth
from hand3r_ros.online.config import DetectionConfig, ReconstructorConfig
from hand3r_ros.online.depth_readings import NEAREST_READING
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.measured_depth import fit_scale
from hand3r_ros.online.preparation import ImageGeometry, nearest_depth
from hand3r_ros.online.results import CameraFrame, FrameResult, TrackingState

INPUTS = ('hidden', 'given', 'holes')
HIDDEN_SHARE = 0.2
"""Of the readings, with 'holes'."""
HOLE_SIDE = 0.06
"""Of a hidden block, as a share of the image's width."""
_FRAME_NS = 200_000_000


@dataclass(frozen=True, eq=False)
class RgbdFrame:
    """One image of the recording."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    depth: NDArray[np.float32]  # (H, W) m, 0 without reading
    T_world_camera: NDArray[np.floating]  # (4, 4)


@dataclass(frozen=True)
class RgbdRow:
    """The numbers of one way of giving depth; lengths in metres, angles in degrees."""

    depth: str
    """'hidden', 'given' or 'holes'."""
    abs_rel: float
    delta1: float
    abs_rel_scaled: float
    delta1_scaled: float
    abs_rel_affine: float
    delta1_affine: float
    scale_error: float
    """Factor between predicted and true depth, the median over images, at least 1."""
    ate: float
    ate_scaled: float
    rotation: float
    lost: int
    """Images whose camera pose was not found."""
    map_error: float
    """Median distance along z between the map and the readings of each image."""


def evaluate_rgbd(folder: Path, preset: str, weights_dir: Path | None, out: Path | None) -> str:
    """The table; ``out`` takes it as JSON. Raises ValueError or OSError for a folder that cannot be used."""
    frames, camera = read_rgbd(folder)
    config = ReconstructorConfig(preset, weights_dir, detection=DetectionConfig(detector='topic'))
    rows = [evaluate_input(frames, camera, kind, config) for kind in INPUTS]
    if out is not None:
        out.write_text(json.dumps({'rgbd': [asdict(row) for row in rows]}, indent=1))
    return f'{len(frames)} images of {folder}\n\n{table(rows)}'


def read_rgbd(folder: Path) -> tuple[list[RgbdFrame], Intrinsics]:
    """All images that have depth, and the camera; raises ValueError or OSError."""
    found = depth_beside(image_folder(color_folder(folder)).images)
    if found is None:
        raise ValueError(f'{folder} holds no images with depth: color_* with depth_*, or folders rgb and depth')
    poses = np.loadtxt(folder / 'poses.txt').reshape(-1, 4, 4)
    if len(poses) != len(found.color):
        raise ValueError(f'{folder / "poses.txt"} has {len(poses)} rows of 16 numbers for {len(found.color)} images')
    frames = [
        RgbdFrame(
            np.asarray(cv2.cvtColor(read_image(color), cv2.COLOR_BGR2RGB), np.uint8),
            np.nan_to_num(read_depth(depth, found.units_per_metre).metres),
            pose,
        )
        for color, depth, pose in zip(found.color, found.depth, poses, strict=True)
        if depth is not None
    ]
    K, (height, width) = np.loadtxt(folder / 'intrinsics.txt').reshape(3, 3), frames[0].image.shape[:2]
    return frames, Intrinsics(K[0, 0], K[1, 1], K[0, 2], K[1, 2], width, height)


def evaluate_input(frames: list[RgbdFrame], camera: Intrinsics, kind: str, config: ReconstructorConfig) -> RgbdRow:
    """One pass over the recording with depth hidden, given, or given with holes."""
    reconstructor = build_reconstructor(config)
    rng = np.random.default_rng(0)
    errors: list[list[float]] = []
    results: list[FrameResult] = []
    for index, frame in enumerate(frames):
        hidden = _hidden(frame.depth, rng) if kind == 'holes' else np.ones(frame.depth.shape, bool)
        given = None if kind == 'hidden' else np.where(hidden & (kind == 'holes'), np.float32(0.0), frame.depth)
        result = reconstructor.process(CameraFrame(frame.image, (1 + index) * _FRAME_NS, camera, (), depth=given))
        errors.append(_depth_row(result, np.where(hidden, frame.depth, np.float32(0.0))))
        results.append(result)
    path, true_path = np.stack([r.T_world_camera for r in results]), np.stack([f.T_world_camera for f in frames])
    ate, rotation, _ = trajectory_errors(path, true_path)
    ate_scaled, _, _ = trajectory_errors(path, true_path, with_scale=True)
    lost = sum(result.state == TrackingState.LOST for result in results)
    points = reconstructor.map.snapshot().points
    means = np.nanmean(errors, axis=0)
    differences = [_map_errors(points, r, f) for r, f in zip(results, frames, strict=True)]
    return RgbdRow(
        depth=kind,
        abs_rel=float(means[0]),
        delta1=float(means[1]),
        abs_rel_scaled=float(means[2]),
        delta1_scaled=float(means[3]),
        abs_rel_affine=float(means[4]),
        delta1_affine=float(means[5]),
        scale_error=float(np.nanmedian(np.array(errors)[:, 6])),
        ate=ate,
        ate_scaled=ate_scaled,
        rotation=float(np.rad2deg(rotation)),
        lost=lost,
        map_error=float(np.median(np.concatenate(differences))),
    )


def table(rows: list[RgbdRow]) -> str:
    """As Markdown."""
    lines = [
        '| depth | AbsRel raw / scaled / affine | delta1 raw / scaled / affine | scale error | ATE raw / scaled (cm) | '
        'rotation (deg) | lost | map (mm) |',
        '|---|---|---|---|---|---|---|---|',
    ]
    lines += [
        f'| {row.depth} | {row.abs_rel:.3f} / {row.abs_rel_scaled:.3f} / {row.abs_rel_affine:.3f} | '
        f'{row.delta1:.2f} / {row.delta1_scaled:.2f} / {row.delta1_affine:.2f} | {row.scale_error:.2f} | '
        f'{100 * row.ate:.1f} / {100 * row.ate_scaled:.1f} | {row.rotation:.1f} | {row.lost} | '
        f'{1000 * row.map_error:.1f} |'
        for row in rows
    ]
    return '\n'.join(lines)


def _hidden(depth: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.bool_]:
    """(H, W) True in blocks that hold a fifth of the readings."""
    height, width = depth.shape
    side = max(1, round(HOLE_SIDE * width))
    hidden, there = np.zeros(depth.shape, bool), depth > 0.0
    while np.count_nonzero(hidden & there) < HIDDEN_SHARE * np.count_nonzero(there):
        top, left = rng.integers(0, height - side), rng.integers(0, width - side)
        hidden[top : top + side, left : left + side] = True
    return hidden


def _depth_row(result: FrameResult, truth: NDArray[np.float32]) -> list[float]:
    """AbsRel and delta1 raw, scaled, affine, and the scale error of one image."""
    height, width = truth.shape
    network = result.points_camera.shape
    geometry = ImageGeometry.for_image(width, height, max(network[:2]))
    target = nearest_depth(truth, geometry)
    valid = target >= NEAREST_READING
    if not valid.any():
        return [float('nan')] * 7
    predicted, target = np.maximum(result.points_camera[..., 2][valid], 1e-3), target[valid]
    ratio = float(np.median(target / predicted))
    affine = fit_scale(predicted, target).of(predicted)
    found = [value for depth in (predicted, ratio * predicted, affine) for value in depth_errors(depth, target)]
    return [*found, max(ratio, 1.0 / ratio)]


def _map_errors(points: NDArray[np.floating], result: FrameResult, frame: RgbdFrame) -> NDArray[np.floating]:
    """(N,) m between the nearest point of the map and the reading, at pixels of the network's image that have both."""
    camera, (height, width) = result.intrinsics, frame.depth.shape
    geometry = ImageGeometry.for_image(width, height, max(result.points_camera.shape[:2]))
    readings = nearest_depth(frame.depth, geometry)
    seen = transform_points(invert_transform(result.T_world_camera), points)
    seen = seen[seen[:, 2] > NEAREST_READING]
    column = np.rint(seen[:, 0] / seen[:, 2] * camera.fx + camera.cx).astype(int)
    row = np.rint(seen[:, 1] / seen[:, 2] * camera.fy + camera.cy).astype(int)
    inside = (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    nearest = np.full(readings.shape, np.inf)
    np.minimum.at(nearest, (row[inside], column[inside]), seen[inside, 2])
    both = np.isfinite(nearest) & (readings >= NEAREST_READING)
    return np.asarray(np.abs(nearest - readings)[both])
