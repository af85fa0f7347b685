"""A tabletop scene over time: images with exact depth, segmentation, camera poses and hands, all from one seed.

``Sequence(seed, config)`` plans everything; ``frame(i)`` draws any frame, in any order, always the same bytes.
The world's z axis points up; the person sits at the near edge (y = 0) of a table and looks along +y.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes import camera_path, instances, splits
from hand3r_lab.scenes.actors import Actor, build_actor, choose_clothing
from hand3r_lab.scenes.camera_effects import CameraEffects, random_effects
from hand3r_lab.scenes.geometry_buffer import Part, collect
from hand3r_lab.scenes.grasps import grasp_pool
from hand3r_lab.scenes.hand_poses import articulation_pool
from hand3r_lab.scenes.hands import HandMotion, HandPools, PosedHand, plan_hand, pose_hands
from hand3r_lab.scenes.lights import automatic_exposure, choose_light
from hand3r_lab.scenes.motion_blur import Motion, camera_motion, pixel_flow
from hand3r_lab.scenes.palette import Palette
from hand3r_lab.scenes.paths import Array, wander
from hand3r_lab.scenes.person import SHOULDER_HALF_WIDTH, build_person
from hand3r_lab.scenes.renderer import Renderer, silhouette_area
from hand3r_lab.scenes.room import Table, build_room, build_table, choose_table
from hand3r_lab.scenes.table_setting import set_table
from hand3r_lab.scenes.textures import texture_bank
from hand3r_ros.geometry import Intrinsics, invert_transform, project_points, transform_points
from hand3r_ros.hand_model.mirror import mirror_points, mirror_rotations
from hand3r_ros.hand_model.sides import HandSide

_MEETING_SHARE = 0.22  # of the sequences with two hands: one works over the other
_NEAREST_HAND = 0.06  # m; hands that reach nearer to the camera plane have no ground truth
_SIDES = {'none': (), 'left': (HandSide.LEFT,), 'right': (HandSide.RIGHT,), 'both': (HandSide.LEFT, HandSide.RIGHT)}


@dataclass(frozen=True)
class SceneConfig:
    """Size and content of a sequence; a field that is 'mixed' is chosen by the seed."""

    width: int = 320
    height: int = 240
    frames: int = 24
    fps: float = 10.0
    camera: str = 'mixed'  # 'egocentric', 'third_person' or 'mixed'
    hands: str = 'mixed'  # 'none', 'left', 'right', 'both' or 'mixed'
    effects: bool = True  # blur, noise, exposure and white balance of a camera

    def __post_init__(self) -> None:
        for name in ('width', 'height', 'frames'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')
        if self.fps <= 0.0:
            raise ValueError(f'fps must be positive, got {self.fps}')
        if self.camera not in ('egocentric', 'third_person', 'mixed'):
            raise ValueError(f'camera must be egocentric, third_person or mixed, got {self.camera!r}')
        if self.hands not in (*_SIDES, 'mixed'):
            raise ValueError(f'hands must be mixed or one of {", ".join(_SIDES)}, got {self.hands!r}')


@dataclass(frozen=True, eq=False)
class HandTruth:
    """One hand of one frame, in the camera's optical frame; only hands that lie partly inside the image are listed."""

    side: HandSide
    instance_id: int  # value of the hand's pixels in the segmentation
    vertices_camera: NDArray[np.float64]  # (778, 3) m
    keypoints_camera: NDArray[np.float64]  # (21, 3) m, OpenPose order
    keypoints_image: NDArray[np.float64]  # (21, 2) px
    box: NDArray[np.float64]  # (4,) x0 y0 x1 y1, bounds of the projected vertices, clipped to the image, px
    rotations: NDArray[np.float64]  # (16, 3, 3) of its own side: global orientation to camera axes, then joints
    betas: NDArray[np.float64]  # (10,)
    wrist_camera: NDArray[np.float64]  # (3,) m
    visible_fraction: float  # visible pixels over the pixels of the whole hand without occluders or image border


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """A picture and everything known about it."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    depth: NDArray[np.float32]  # (H, W) m along the optical axis, 0 = nothing
    segmentation: NDArray[np.uint8]  # (H, W), values of ``instances``
    intrinsics: Intrinsics
    T_world_camera: NDArray[np.float64]  # (4, 4) optical frame to scene world
    hands: tuple[HandTruth, ...]


class Sequence:
    """A scene and its motion, all decided by the seed; see ``splits`` for the seeds of each split."""

    def __init__(self, seed: int, config: SceneConfig | None = None) -> None:
        self.seed = seed
        self.config = config or SceneConfig()
        pool = splits.pool_seed(seed)
        rng = np.random.default_rng([seed, 1])
        palette = Palette(np.random.default_rng([seed, 2]), texture_bank(pool))
        table = choose_table(rng)
        self._table_height = float(table.height)
        self._camera = _choose_camera(rng, self.config, table)
        self.hands = self._plan_hands(np.random.default_rng([seed, 3]), table, pool)
        skin = palette.add(palette.skin())
        clothing = choose_clothing(palette)
        arms = [hand.arm(table) for hand in self.hands]
        self._actors: list[Actor] = [
            build_actor(palette, hand, arm, skin, clothing) for hand, arm in zip(self.hands, arms, strict=True)
        ]
        self._person = None
        if not self._camera.egocentric:  # a worn camera does not see its wearer's head
            self._person = build_person(palette, self.hands, arms, skin, clothing, table.height)
        static = build_room(palette, table) + build_table(palette, table)
        static += set_table(palette, table, self.hands, arms, self._camera.T_world_camera[:, :3, 3])
        lighting = choose_light(rng, table.height)
        self._effects = CameraEffects()
        if self.config.effects:
            effects = random_effects(rng)
            self._effects = replace(effects, exposure=effects.exposure * automatic_exposure(lighting))
        self._renderer = Renderer(collect(static), palette.table(), palette.bank, lighting)

    def __len__(self) -> int:
        return self.config.frames

    @property
    def T_world_camera(self) -> NDArray[np.float64]:  # noqa: N802 (the project's name for this transform)
        """(T, 4, 4) camera path, optical frame to scene world."""
        return self._camera.T_world_camera

    @property
    def intrinsics(self) -> Intrinsics:
        """The camera of all frames."""
        return self._camera.intrinsics

    @property
    def egocentric(self) -> bool:
        """Whether the camera is worn by the person whose hands are seen."""
        return self._camera.egocentric

    @property
    def table_height(self) -> float:
        """Height of the table top above the floor (z = 0 of the scene world), metres."""
        return self._table_height

    def frame(self, index: int) -> RenderedFrame:
        """Draws frame ``index``.

        Raises:
            IndexError: the index is outside 0 .. len - 1.
        """
        if not 0 <= index < len(self):
            raise IndexError(f'frame must be 0 .. {len(self) - 1}, got {index}')
        T_world_camera = self._camera.T_world_camera[index]
        parts: list[Part] = [part for actor in self._actors for part in actor.parts(index)]
        if self._person is not None:
            parts += self._person.parts(index)
        drawn = self._renderer.draw(parts, T_world_camera, self.intrinsics)
        flow = None
        if self._effects.shutter > 0.0:
            motion = self._motion(index)
            flow = pixel_flow(drawn.depth, drawn.segmentation, self.intrinsics, motion, self._effects.shutter)
        image = self._effects.apply(drawn.linear, seed=self.seed * 4096 + index + 1, flow=flow)
        truths = (self._truth(hand, index, T_world_camera, drawn.segmentation) for hand in self.hands)
        hands = tuple(truth for truth in truths if truth is not None)
        return RenderedFrame(image, drawn.depth, drawn.segmentation, self.intrinsics, T_world_camera, hands)

    def _motion(self, index: int) -> Motion:
        """Motion of the camera, and of each hand with its arm and object as the wrist moves."""
        motion = camera_motion(self._camera.T_world_camera, index, self.config.fps)
        first, last = max(index - 1, 0), min(index + 1, len(self) - 1)
        for hand in self.hands:
            side, wrist = hand.motion.side, hand.motion.wrist
            travel = (wrist[last] - wrist[first]) * ([-1.0, 1.0, 1.0] if side == HandSide.LEFT else [1.0, 1.0, 1.0])
            velocity = travel * self.config.fps / max(last - first, 1)
            velocity = self._camera.T_world_camera[index, :3, :3].T @ velocity
            motion.instances[instances.hand_instance(side)] = velocity
            motion.instances[instances.held_instance(side)] = velocity
            motion.instances[instances.arm_instance(side)] = 0.5 * velocity  # the shoulder stays
            motion.instances[instances.sleeve_instance(side)] = 0.5 * velocity
        return motion

    def _plan_hands(self, rng: np.random.Generator, table: Table, pool: int) -> list[PosedHand]:
        choice = self.config.hands
        if choice == 'mixed':
            choice = str(rng.choice(['none', 'left', 'right', 'both'], p=[0.06, 0.24, 0.24, 0.46]))
        pools = HandPools(articulation_pool(pool), grasp_pool(pool))
        betas = np.clip(rng.normal(0.0, 1.0, 10), -2.5, 2.5)
        body = self._shoulder_middle(rng, table)
        motions: list[HandMotion] = []
        meeting = rng.random() < _MEETING_SHARE
        for side in _SIDES[choice]:
            mirror = 1.0 if side == HandSide.RIGHT else -1.0
            shoulder = body * [mirror, 1.0, 1.0] + [SHOULDER_HALF_WIDTH, 0.0, 0.0]
            near = mirror_points(motions[0].wrist).mean(0) if motions and meeting else None
            motions.append(plan_hand(rng, side, shoulder, table, self.config.fps, pools, betas, near))
        return pose_hands(motions, table)

    def _shoulder_middle(self, rng: np.random.Generator, table: Table) -> Array:
        """(T, 3) point between the shoulders; it follows a head-worn camera with half of the head's motion."""
        frames, fps = self.config.frames, self.config.fps
        if not self._camera.egocentric:
            rest = np.array([0.0, -0.2, table.height + rng.uniform(0.28, 0.4)])
            return rest + wander(rng, frames, [0.012, 0.01, 0.006], 1.5 * fps)
        head = self._camera.T_world_camera[:, :3, 3]
        return head.mean(0) + 0.5 * (head - head.mean(0)) + [0.0, -0.10, -0.22]

    def _truth(
        self, hand: PosedHand, index: int, T_world_camera: Array, segmentation: NDArray[np.uint8]
    ) -> HandTruth | None:
        motion = hand.motion
        vertices, keypoints = hand.vertices[index], hand.keypoints[index]
        rotations, wrist = motion.rotations[index].copy(), motion.wrist[index]
        if motion.side == HandSide.LEFT:
            vertices, keypoints, wrist = mirror_points(vertices), mirror_points(keypoints), mirror_points(wrist)
            rotations = mirror_rotations(rotations)
        T_camera_world = invert_transform(T_world_camera)
        vertices = transform_points(T_camera_world, vertices)
        if vertices[:, 2].min() < _NEAREST_HAND:
            return None
        image_points = project_points(vertices, self.intrinsics)
        limit = np.array([self.intrinsics.width - 1.0, self.intrinsics.height - 1.0])
        low, high = image_points.min(0), image_points.max(0)
        if (high <= 0.0).any() or (low >= limit).any():
            return None
        rotations[0] = T_camera_world[:3, :3] @ rotations[0]
        keypoints = transform_points(T_camera_world, keypoints)
        instance = instances.hand_instance(motion.side)
        area = silhouette_area(vertices, motion.side, self.intrinsics)
        visible = np.count_nonzero(segmentation == instance) / max(area, 1.0)
        return HandTruth(
            side=motion.side,
            instance_id=instance,
            vertices_camera=vertices,
            keypoints_camera=keypoints,
            keypoints_image=project_points(keypoints, self.intrinsics),
            box=np.concatenate([np.maximum(low, 0.0), np.minimum(high, limit)]),
            rotations=rotations,
            betas=motion.betas,
            wrist_camera=transform_points(T_camera_world, wrist[None])[0],
            visible_fraction=float(min(visible, 1.0)),
        )


def _choose_camera(rng: np.random.Generator, config: SceneConfig, table: Table) -> camera_path.CameraPath:
    egocentric = config.camera == 'egocentric' or (config.camera == 'mixed' and rng.random() < 0.6)
    make = camera_path.egocentric_path if egocentric else camera_path.third_person_path
    return make(rng, config.frames, config.fps, (config.width, config.height), table.height)
