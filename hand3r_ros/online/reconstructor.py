"""The online reconstruction: one camera frame in, one result out; owns the session.

``frame_pipeline`` takes the session one frame further; this class decides when a session ends, applies settings and
lets several threads in, one at a time. A refused frame leaves the session as it was.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.files import FilePlace
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import config_hash
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.online.config import REBUILD_FIELDS, ReconstructorConfig, changed_fields
from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.detection.given import GivenDetector
from hand3r_ros.online.detection.network_head import check_detector
from hand3r_ros.online.detection.propagated import PropagatingDetector
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.frame_checks import check_frame
from hand3r_ros.online.frame_pipeline import FramePipeline
from hand3r_ros.online.inference import NetworkRunner
from hand3r_ros.online.mapping import VoxelMap
from hand3r_ros.online.placement import check_translation
from hand3r_ros.online.results import CameraFrame, FrameResult
from hand3r_ros.online.session import Session, is_before_resumed, reason_to_restart
from hand3r_ros.online.session_memory import SessionMemory, check_scene, moved_to, recall, remember
from hand3r_ros.online.session_parts import SessionParts
from hand3r_ros.online.state_file import StateFileError, StateOwner, read_state, weights_identity, write_state

VOXELS_ALWAYS_TAKEN = 1_000_000
"""Of a saved map, also where fewer are kept: the least seen ones go then. Larger ones need ``map.max_points``."""

LARGEST_STAMP = 2**63 / 1e9
"""In seconds: nanoseconds are kept in 64 bits. Also refuses nanoseconds that are given as seconds."""


class OnlineReconstructor:
    """Camera pose, metric scene and hands, frame by frame. Methods may be called from several threads."""

    def __init__(
        self,
        network: Hand3R,
        hand_layer: HandLayer,
        detector: HandDetector,
        config: ReconstructorConfig,
        recommended_pose_source: str = 'network',
    ) -> None:
        """Starts session 1.

        Args:
            network: ``Hand3R`` or anything with its ``config``, ``init_state`` and ``step``.
            hand_layer: the hand model the network was trained for.
            detector: finds hands; ``detection.registry.make_detector`` gives the configured one.
            config: all settings.
            recommended_pose_source: what ``config.pose_source`` 'auto' stands for with these weights.

        Raises:
            ValueError: the device is not there, or the settings ask for what these weights do not have.

        """
        self._runner = NetworkRunner(network, config.device, config.precision)
        check_translation(config.placement, self._runner.config.fusion)
        check_detector(config.detection, self._runner.config)
        self._pipeline = FramePipeline(self._runner, hand_layer)
        self._lock = threading.RLock()
        self._config = config
        self._recommended_pose_source = recommended_pose_source
        self._parts = SessionParts.make(config, detector, recommended_pose_source)
        self._parts.reset()
        self._session = Session(1, 'started', self._runner.init_state())
        self._weights_identity: str | None = None
        self._refused_frames = 0

    @property
    def config(self) -> ReconstructorConfig:
        """The settings in use."""
        return self._config

    @property
    def network(self) -> Hand3R:
        """The network in use."""
        return self._runner.network

    @property
    def pose_source(self) -> str:
        """Where the camera pose comes from: 'network', 'geometric' or 'tf', never 'auto'."""
        configured = self._config.pose_source
        return self._recommended_pose_source if configured == 'auto' else configured

    @property
    def session_id(self) -> int:
        """Starts at 1 and grows with every reset; results of different sessions share no world frame."""
        return self._session.session_id

    @property
    def reset_reason(self) -> str:
        """Why the current session began."""
        return self._session.reason

    @property
    def map(self) -> VoxelMap:
        """The map of the current session."""
        return self._parts.map

    @property
    def refused_frames(self) -> int:
        """Frames since the start, over all sessions, that were refused and changed nothing."""
        return self._refused_frames

    @overload
    def process(self, image: CameraFrame) -> FrameResult: ...

    @overload
    def process(self, image: NDArray[np.uint8], stamp: float, intrinsics: Intrinsics | None = None) -> FrameResult: ...

    def process(
        self,
        image: CameraFrame | NDArray[np.uint8],
        stamp: float | None = None,
        intrinsics: Intrinsics | None = None,
    ) -> FrameResult:
        """Reconstructs the next image.

        Args:
            image: (H, W, 3) uint8 RGB, undistorted; or a ``CameraFrame``, which has all inputs in it (also given hand
                boxes and a known camera pose).
            stamp: when the image was taken, in seconds of any clock that goes forward; int or float.
            intrinsics: of the undistorted image; None: the focal length is estimated (state UNCALIBRATED).

        Raises:
            TypeError: an image without a stamp, or a ``CameraFrame`` with one.
            FrameRejected: the frame cannot be used; all state is as before. A frame that starts a new session
                (another resolution, stamps that went back, a long gap) starts it even if it is refused itself.

        """
        with self._lock:
            try:
                return self._process(_camera_frame(image, stamp, intrinsics))
            except FrameRejected:
                self._refused_frames += 1
                raise

    def reset(self, reason: str) -> None:
        """Starts a new session with an empty state and map; ``reason`` is kept for reports."""
        with self._lock:
            self._parts.reset()
            self._session = Session(self._session.session_id + 1, reason, self._runner.init_state())

    def reconfigure(self, config: ReconstructorConfig) -> None:
        """Applies other settings; a new session starts where they change the world frame, a new map with its voxels.

        Raises:
            ValueError: a setting changed that needs ``factory.build_reconstructor``; nothing was applied.
            DetectorUnavailableError: the new detector cannot be used; nothing was applied.

        """
        with self._lock:
            changed = changed_fields(self._config, config)
            fixed = [name for name in changed if name in REBUILD_FIELDS]
            if fixed:
                raise ValueError(f'{", ".join(fixed)} cannot change while running; build a new reconstructor')
            check_translation(config.placement, self._runner.config.fusion)
            check_detector(config.detection, self._runner.config)
            if {'detection', 'max_hands', 'tracking'} & set(changed):
                self._parts.detector = make_detector(config)
            self._config = config
            if self._parts.reconfigure(config, changed, self._recommended_pose_source):
                self.reset('settings changed: ' + ', '.join(changed))

    def snapshot(self) -> SessionMemory:
        """Everything the next frame depends on, as one value that no later frame changes."""
        with self._lock:
            return remember(self._session, self._parts)

    def owner(self) -> StateOwner:
        """What a saved session must have been made with, so that this reconstruction can go on from it."""
        if self._weights_identity is None:
            self._weights_identity = weights_identity(self._runner.network)
        return StateOwner(
            self._config.preset, config_hash(self._runner.config), self._weights_identity, self.pose_source
        )

    def save_state(self, place: FilePlace) -> Session:
        """Writes the session to a file (``.safetensors``), so that another process can resume it; returns it.

        Kept is all that the next frame depends on: recurrent state, world frame, pose memory (of a geometric pose its
        tracks and last image), hands, map.

        Raises:
            OSError: the file cannot be written.

        """
        with self._lock:
            memory, owner = self.snapshot(), self.owner()
        write_state(place, memory, owner)
        return memory.session

    def load_state(self, place: FilePlace, after_a_pause: bool = True) -> Session:
        """Resumes a saved session, in its world frame; returns it.

        A reconstructor that has seen nothing yet takes over the id of the saved session; another one begins a session
        of its own with the next id, because its world frame is another one from here on. Before anything is taken
        up, the session is taken one blank image further, so that no file can stop what comes after it.

        Args:
            place: from ``save_state``.
            after_a_pause: the stamp of the next frame, hours later or of a clock that was set back, begins no new
                session. False when it is the very next frame of a recording, whose stamp means what it says.

        Raises:
            StateFileError: the file is missing, damaged, too large, no image could be processed after it, or it is of
                another network, pose source or image size than those in use; nothing has changed.

        """
        with self._lock:
            most_voxels = max(self._config.map.max_points, VOXELS_ALWAYS_TAKEN)
            memory = read_state(place, self.owner(), most_voxels)
            loaded, current = memory.session, self._session
            if None not in (loaded.resolution, current.resolution) and loaded.resolution != current.resolution:
                raise StateFileError(
                    f'the session in {place} has images of {loaded.resolution} pixels, not {current.resolution}'
                )
            unused = current.session_id == 1 and current.frame_index == 0
            session = replace(
                loaded,
                session_id=loaded.session_id if unused else max(current.session_id, loaded.session_id) + 1,
                reason=f'continued from {place}',
                scene=moved_to(loaded.scene, self._runner.device),
                resumed=after_a_pause,
            )
            try:
                loaded.check()
                check_scene(loaded.scene, self._runner.init_state())
                self._rehearse(replace(memory, session=session))
            except ValueError as error:
                raise StateFileError(f'the session in {place} cannot be used: {error}') from error
            parts = SessionParts.make(self._config, self._parts.detector, self._recommended_pose_source)
            parts.tracker.restore(self._parts.tracker.memory())  # ids of hands are never used again
            recall(memory, parts)
            self._parts, self._session = parts, session
            return self._session

    def _rehearse(self, memory: SessionMemory) -> None:
        """One image on parts of its own, after which they are thrown away; raises ValueError if it cannot be done."""
        detector = PropagatingDetector(GivenDetector(), self._config.detection.interval, self._config.tracking.timeout)
        parts = SessionParts.make(self._config, detector, self._recommended_pose_source)
        recall(memory, parts)
        try:
            self._pipeline.rehearse(memory.session, parts, self._config)
        except Exception as error:  # whatever it is, it would come with every image from now on
            reason = ' '.join(str(error).split())[:200]
            raise ValueError(f'no image could be processed after it ({type(error).__name__}: {reason})') from error

    def _process(self, frame: CameraFrame) -> FrameResult:
        check_frame(frame)
        reason = reason_to_restart(self._session, frame, self._config)
        if reason is not None:
            self.reset(reason)
        if is_before_resumed(self._session, frame):
            self._parts.forget_hands()
            self._session = replace(self._session, previous_hands=())
        self._session, result = self._pipeline.run(frame, self._session, self._parts, self._config)
        return result

    def warm_up(self, width: int = 640, height: int = 480) -> None:
        """One step on a blank image with one hand, outside of any session: compiles and allocates what is needed."""
        with self._lock:
            self._pipeline.warm_up(width, height, self._config)


def _camera_frame(
    image: CameraFrame | NDArray[np.uint8], stamp: float | None, intrinsics: Intrinsics | None
) -> CameraFrame:
    if isinstance(image, CameraFrame):
        if stamp is not None or intrinsics is not None:
            raise TypeError('a CameraFrame has its own stamp and intrinsics: give it alone')
        return image
    if stamp is None:
        raise TypeError('process() needs the stamp of the image in seconds')
    number = isinstance(stamp, int | float | np.number) and not isinstance(stamp, bool)
    if not (number and abs(stamp) <= LARGEST_STAMP):
        raise FrameRejected(f'stamp must be in seconds, at most {LARGEST_STAMP:g}, got {stamp!r}')
    return CameraFrame(image, round(float(stamp) * 1e9), intrinsics)
