"""The stateful parts of a session: detector, pose source, tracker, smoother, camera, map."""

from __future__ import annotations

from dataclasses import dataclass

from hand3r_ros.online.camera_pose import PoseSource, make_pose_source
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.intrinsics import CameraResolver
from hand3r_ros.online.mapping import VoxelMap
from hand3r_ros.online.smoothing import HandSmoother
from hand3r_ros.online.tracking import HandTracker


@dataclass
class SessionParts:
    """All of them together; each is replaced when its settings change."""

    detector: HandDetector
    pose_source: PoseSource
    tracker: HandTracker
    smoother: HandSmoother
    cameras: CameraResolver
    map: VoxelMap

    @classmethod
    def make(cls, config: ReconstructorConfig, detector: HandDetector, recommended_pose_source: str) -> SessionParts:
        """New parts with these settings around a detector; ``recommended_pose_source`` is what 'auto' stands for."""
        return cls(
            detector=detector,
            pose_source=make_pose_source(config, recommended_pose_source),
            tracker=HandTracker(config.tracking, config.max_hands),
            smoother=HandSmoother(config.smoothing),
            cameras=CameraResolver(config.fallback_focal_px),
            map=VoxelMap(config.map.voxel_size, config.map.max_points),
        )

    def reset(self) -> None:
        """Forget all frames: the next one is the first of a new world."""
        self.detector.reset()
        self.pose_source.reset()
        self.tracker.reset()
        self.smoother.reset()
        self.cameras.reset()
        self.map.clear()

    def forget_hands(self) -> None:
        """Forget hands but not the world: what is known of them is of another time."""
        self.detector.reset()
        self.tracker.reset()
        self.smoother.reset()

    def reconfigure(self, config: ReconstructorConfig, changed: tuple[str, ...], recommended_pose_source: str) -> bool:
        """Applies other settings, of which ``changed`` names the fields; True if a new session has to begin."""
        self.tracker.config, self.tracker.max_hands = config.tracking, config.max_hands
        if 'smoothing' in changed:
            self.smoother = HandSmoother(config.smoothing)
        if 'fallback_focal_px' in changed:
            self.cameras = CameraResolver(config.fallback_focal_px)
        if (config.map.voxel_size, config.map.max_points) != (self.map.voxel_size, self.map.max_points):
            self.map = VoxelMap(config.map.voxel_size, config.map.max_points)
        if {'pose_source', 'initial_camera_pose', 'geometric_pose'} & set(changed):
            self.pose_source = make_pose_source(config, recommended_pose_source)
            return True
        return False
