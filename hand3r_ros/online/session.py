"""Immutable per-session state, except for the stateful parts (``session_parts``)."""

from __future__ import annotations

from dataclasses import dataclass

from hand3r_ros.network.types import SceneState
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.frame_checks import LARGEST_SIDE, SMALLEST_SIDE
from hand3r_ros.online.measured_depth import DepthScale
from hand3r_ros.online.results import CameraFrame, HandResult

LARGEST_COUNT = 2**31 - 2
"""Of frames and sessions; a year at 30 Hz has a billion frames. Messages hold such numbers in 32 bits."""


@dataclass(frozen=True)
class Session:
    """One stretch of frames that share a world frame; every frame makes a new one of these."""

    session_id: int
    reason: str
    """Why it began."""
    scene: SceneState
    """The network's recurrent state."""
    frame_index: int = 0
    """Of the next frame."""
    last_stamp_ns: int | None = None
    resolution: tuple[int, int] | None = None  # width, height of the source image
    previous_hands: tuple[HandResult, ...] = ()
    depth_scale: DepthScale | None = None
    """Of the predicted depth, as readings have shown it; None: there were none so far."""
    chunk_frames: int = 0
    """Since the recurrent state was last re-initialised, see ``ReconstructorConfig.reset_interval``."""
    resumed: bool = False
    """Loaded after a pause, and no frame was processed since: the time in between is meaningless."""

    def check(self) -> None:
        """Raises ValueError for numbers that no session has; the recurrent state is not looked at."""
        for name, least in (('session_id', 1), ('frame_index', 0), ('chunk_frames', 0)):
            if not least <= getattr(self, name) <= LARGEST_COUNT:
                raise ValueError(f'{name} is {getattr(self, name)}, expected {least} to {LARGEST_COUNT}')
        sides = self.resolution or (SMALLEST_SIDE, SMALLEST_SIDE)
        if not SMALLEST_SIDE <= min(sides) <= max(sides) <= LARGEST_SIDE:
            raise ValueError(f'its images have {sides} pixels, sides must be {SMALLEST_SIDE} to {LARGEST_SIDE}')
        if len({hand.track_id for hand in self.previous_hands}) != len(self.previous_hands):
            raise ValueError('two of its hands have the same id')
        for hand in self.previous_hands:
            hand.check()
        if self.depth_scale is not None:
            self.depth_scale.check()


def reason_to_restart(session: Session, frame: CameraFrame, config: ReconstructorConfig) -> str | None:
    """Why ``frame`` cannot belong to this session; None when it can.

    Raises:
        FrameRejected: its stamp goes back and the settings do not take that for a new session.

    """
    height, width = frame.image.shape[:2]
    if session.resolution is not None and session.resolution != (width, height):
        old = session.resolution
        return f'resolution changed from {old[0]} x {old[1]} to {width} x {height}'
    if session.last_stamp_ns is None or session.resumed:
        return None
    seconds = (frame.stamp_ns - session.last_stamp_ns) * 1e-9
    if seconds < 0.0:
        if not config.reset_on_time_jump:
            raise FrameRejected(f'its stamp is {-seconds:.3f} s older than that of the frame before')
        return f'time jumped back by {-seconds:.3f} s'
    if 0.0 < config.reset_after_gap < seconds:
        return f'no frame for {seconds:.3f} s'
    return None


def is_before_resumed(session: Session, frame: CameraFrame) -> bool:
    """Whether a loaded session goes on with a clock that was set back: what is known of hands says nothing then."""
    return session.resumed and session.last_stamp_ns is not None and frame.stamp_ns < session.last_stamp_ns
