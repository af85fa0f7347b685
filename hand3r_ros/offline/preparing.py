"""Prepares a run from its options: input, reconstruction, identity of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hand3r_ros import __version__
from hand3r_ros.checkpoints.locations import find_weights_folder
from hand3r_ros.node.configuration import reconstructor_config
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.offline.camera_file import read_camera_file
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.inputs import Calibrations, Companions, Input
from hand3r_ros.offline.opening import open_input
from hand3r_ros.offline.settings import RunSettings, as_json, node_parameters
from hand3r_ros.online.config import ReconstructorConfig


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that is known before the first image."""

    source: Input
    companions: Companions
    parameters: NodeParameters
    config: ReconstructorConfig


def prepare(settings: RunSettings) -> Prepared:
    """Opens the input and settles the parameters; raises RunError for what does not fit together."""
    values = dict(settings.values)
    rectified = node_parameters(values).rectified
    source = open_input(settings, rectified)
    companions = _with_calibration_file(source.companions(), settings, rectified)
    has_detections = companions.detections is not None
    values.setdefault('detector', 'topic' if has_detections else 'auto')
    parameters = node_parameters(values)
    if parameters.detector == 'topic' and not has_detections:
        raise RunError("detector 'topic' needs a recording with a Detection2DArray topic; use auto, mediapipe or none")
    if parameters.pose_source == 'tf' and companions.transforms is None:
        raise RunError("pose_source 'tf' needs a recording with /tf; use auto, network or geometric")
    return Prepared(source, companions, parameters, reconstructor_config(parameters))


def identity(settings: RunSettings, prepared: Prepared) -> dict[str, Any]:
    """What has to be the same to resume a run: JSON values by name."""
    selection = settings.selection
    weights_dir = find_weights_folder(prepared.config.preset, prepared.config.weights_dir)
    calibration = None if settings.calibration is None else _digest(settings.calibration)
    return {
        'version': __version__,
        **{f'input {name}': value for name, value in prepared.source.identity.items()},
        **as_json(prepared.parameters),
        'start': selection.start,
        'end': selection.end,
        'stride': selection.stride,
        'fps': settings.fps,
        'camera_frame': settings.camera_frame,
        'calibration': calibration,
        'node name': settings.node_name,
        'map_seconds': settings.map_seconds,
        'weights': weights_digests(weights_dir, prepared.config.preset),
    }


def weights_digests(folder: Path, preset: str) -> Mapping[str, str]:
    """Size and hash of both ends of every file of a preset: enough to notice other weights, however large."""
    return {path.name: _digest(path) for path in sorted(folder.glob(f'{preset}*.safetensors'))}


def _digest(path: Path, ends: int = 1 << 20) -> str:
    size = path.stat().st_size
    with path.open('rb') as file:
        digest = hashlib.sha256(file.read(ends))
        file.seek(max(0, size - ends))
        digest.update(file.read(ends))
    return f'{size} {digest.hexdigest()[:16]}'


def _with_calibration_file(companions: Companions, settings: RunSettings, rectified: bool) -> Companions:
    """The given calibration counts more than a recorded one."""
    if settings.calibration is None:
        return companions
    return replace(companions, calibrations=Calibrations((0,), (read_camera_file(settings.calibration, rectified),)))
