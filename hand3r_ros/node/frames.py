"""Which transforms the node broadcasts for one frame, from its parameters and the pose of the camera."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from hand3r_ros.geometry import Array, invert_transform
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node import messages
from hand3r_ros.node.names import frame_name, is_frame_name, shortened
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.node.tf_tree import Joint, Parents, join_world
from hand3r_ros.online.results import FloatArray, FrameResult, HandResult, TrackingState

FALLBACK_CAMERA_FRAME = 'hand3r_camera'
"""Stands for the camera's optical frame where the header of its images names none that can be one."""

BaseLookup = Callable[[str, str], Array]
"""Gives ``T_camera_base`` (4, 4) for the names of both frames; raises LookupError."""


def camera_frame(frame_id: str, world_frame: str) -> tuple[str, str | None]:
    """The camera's optical frame for the ``frame_id`` of an image, and what was wrong with that, None if nothing."""
    name = frame_name(frame_id)
    if not name:
        return FALLBACK_CAMERA_FRAME, f"header.frame_id is empty; taking '{FALLBACK_CAMERA_FRAME}' for the camera"
    if not is_frame_name(name):
        return FALLBACK_CAMERA_FRAME, (
            f"header.frame_id '{shortened(frame_id)}' cannot be a frame; taking '{FALLBACK_CAMERA_FRAME}'"
        )
    if name == world_frame:
        return FALLBACK_CAMERA_FRAME, (
            f"header.frame_id is '{shortened(name)}', which is the world_frame; taking '{FALLBACK_CAMERA_FRAME}' for "
            'the camera: set frame_id in its driver, or another world_frame'
        )
    if name != frame_id:
        return name, f"header.frame_id '{shortened(frame_id)}' has slashes that TF refuses; taking '{shortened(name)}'"
    return name, None


def is_placed(result: FrameResult) -> bool:
    """True when the camera's place in the world is known, so that anything may be said about the world."""
    return result.state is not TrackingState.LOST


def camera_joint(camera: str, parameters: NodeParameters, parents: Parents) -> Joint | None:
    """How the world is joined to the TF tree for this camera frame; None when no transform is to be published."""
    if not parameters.publish_tf or parameters.pose_source == 'tf':
        return None
    return join_world(parameters.world_frame, parameters.base_frame or camera, parameters.invert_tf, parents)


def camera_transform(
    header: Header,
    T_world_camera: FloatArray,
    parameters: NodeParameters,
    lookup_base: BaseLookup,
    parents: Parents = MappingProxyType({}),
) -> TransformStamped | None:
    """The transform that places the camera, or the robot that carries it; None when none is to be published.

    ``header`` is that of the image: its frame is the camera. ``parents`` are those that frames have in TF. Raises
    LookupError while ``base_frame`` is unknown.
    """
    camera, world = header.frame_id, parameters.world_frame
    joint = camera_joint(camera, parameters, parents)
    if joint is None or not joint.exists:
        return None
    body = parameters.base_frame or camera
    T_world_body = T_world_camera if body == camera else T_world_camera @ lookup_base(camera, body)
    T_parent_child = T_world_body if joint.parent == world else invert_transform(T_world_body)
    return messages.transform_stamped(messages.header(header.stamp, joint.parent), joint.child, T_parent_child)


def best_of_each_side(hands: tuple[HandResult, ...]) -> dict[HandSide, HandResult]:
    """The hand with the best score of each side that was seen."""
    best: dict[HandSide, HandResult] = {}
    for hand in sorted(hands, key=lambda hand: hand.score):
        best[HandSide(hand.side)] = hand
    return best


def hand_transforms(world_header: Header, hands: tuple[HandResult, ...]) -> list[TransformStamped]:
    """``world -> hand3r_left_wrist`` and ``... right_wrist`` for the hands that were seen."""
    return [
        messages.transform_stamped(world_header, f'hand3r_{side.name.lower()}_wrist', hand.T_world_wrist)
        for side, hand in best_of_each_side(hands).items()
    ]
