"""A whole session as one value that can be saved and restored."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from hand3r_ros.network.types import SceneState
from hand3r_ros.online.camera_pose import PoseMemory
from hand3r_ros.online.detection.propagated import PropagatingDetector, PropagationMemory
from hand3r_ros.online.mapping import MapMemory
from hand3r_ros.online.session import Session
from hand3r_ros.online.session_parts import SessionParts
from hand3r_ros.online.smoothing import FilterMemory
from hand3r_ros.online.tracking import TrackerMemory


@dataclass(frozen=True)
class SessionMemory:
    """The session and what its parts know."""

    session: Session
    pose: PoseMemory
    tracker: TrackerMemory
    smoother: dict[int, FilterMemory]
    focal_lengths: tuple[float, ...]
    map: MapMemory
    propagation: PropagationMemory | None


def remember(session: Session, parts: SessionParts) -> SessionMemory:
    """Everything that the next frame depends on; nothing of it changes afterwards."""
    detector = parts.detector
    return SessionMemory(
        session=session,
        pose=dict(parts.pose_source.memory()),
        tracker=parts.tracker.memory(),
        smoother=parts.smoother.memory(),
        focal_lengths=parts.cameras.memory(),
        map=parts.map.memory(),
        propagation=detector.memory() if isinstance(detector, PropagatingDetector) else None,
    )


def recall(memory: SessionMemory, parts: SessionParts) -> None:
    """Brings new parts to where those of the memory were; the detector, which may be in use, comes last.

    Raises:
        ValueError: a part's memory is damaged or of a part of another kind.

    """
    parts.pose_source.restore(memory.pose)
    parts.map.restore(memory.map)
    parts.tracker.restore(memory.tracker)
    parts.smoother.restore(memory.smoother)
    parts.cameras.restore(memory.focal_lengths)
    if memory.propagation is not None and isinstance(parts.detector, PropagatingDetector):
        parts.detector.restore(memory.propagation)
    else:
        parts.detector.reset()


def check_scene(scene: SceneState, like: SceneState) -> None:
    """Raises ValueError naming the tensors that are not as in ``like``, or not finite."""
    problems = []
    for field in fields(SceneState):
        found, expected = getattr(scene, field.name), getattr(like, field.name)
        if not isinstance(found, Tensor) or not isinstance(expected, Tensor):
            continue
        if found.shape != expected.shape or found.dtype != expected.dtype:
            problems.append(
                f'{field.name} is {found.dtype} {list(found.shape)} instead of {expected.dtype} {list(expected.shape)}'
            )
        elif not bool(torch.isfinite(found).all()):
            problems.append(f'{field.name} is not finite')
        elif field.name == 'positions' and not torch.equal(found, expected.to(found.device)):
            problems.append('positions are others')
    if problems:
        raise ValueError(f'the recurrent state does not fit the network: {"; ".join(problems)}')


def moved_to(scene: SceneState, device: torch.device) -> SceneState:
    """The same state on another device."""
    parts: dict[str, Any] = {}
    for field in fields(SceneState):
        value = getattr(scene, field.name)
        parts[field.name] = value.to(device) if isinstance(value, Tensor) else value
    return SceneState(**parts)
