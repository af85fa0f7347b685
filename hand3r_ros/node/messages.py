"""Pure builders of messages: headers, poses, transforms, status. Each takes results and gives a message.

Two measured rules hold in every builder: sequences are assigned as ``array.array`` (bytes, lists and numpy arrays
are checked or converted element by element, up to half a second per cloud), and scalars are Python floats and ints
(numpy scalars are misread where rclpy's type checks are off).
"""

from __future__ import annotations

import array
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Transform, TransformStamped, Vector3
from numpy.typing import ArrayLike
from std_msgs.msg import Header

from hand3r_msgs.msg import Hand3RStatus
from hand3r_ros.geometry import Array, make_transform, matrix_from_quaternion, quaternion_from_matrix
from hand3r_ros.node.accounting import Counters
from hand3r_ros.node.stamps import NANOSECONDS
from hand3r_ros.online.results import FrameResult, ScaleSource


def packed(typecode: str, values: ArrayLike) -> array.array:
    """``array.array`` with the elements of ``values`` (any shape) in row-major order, by one copy of memory."""
    result: array.array = array.array(typecode)
    contiguous = np.ascontiguousarray(values, dtype=np.dtype(typecode))
    result.frombytes(contiguous.reshape(-1).view(np.uint8).data)
    return result


def time_from_nanoseconds(nanoseconds: int) -> Time:
    """builtin_interfaces/Time of nanoseconds since its epoch."""
    seconds, rest = divmod(int(nanoseconds), NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)


def header(stamp: Time, frame_id: str) -> Header:
    """std_msgs/Header."""
    return Header(stamp=stamp, frame_id=frame_id)


def pose(T_frame_body: ArrayLike) -> Pose:
    """geometry_msgs/Pose of a (4, 4) transform."""
    x, y, z, qx, qy, qz, qw = _position_and_quaternion(T_frame_body)
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def pose_stamped(header: Header, T_frame_body: ArrayLike) -> PoseStamped:
    """geometry_msgs/PoseStamped of a (4, 4) transform from the body to ``header.frame_id``."""
    return PoseStamped(header=header, pose=pose(T_frame_body))


def transform_stamped(header: Header, child_frame_id: str, T_frame_child: ArrayLike) -> TransformStamped:
    """geometry_msgs/TransformStamped of a (4, 4) transform from the child to ``header.frame_id``."""
    x, y, z, qx, qy, qz, qw = _position_and_quaternion(T_frame_child)
    transform = Transform(translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=qx, y=qy, z=qz, w=qw))
    return TransformStamped(header=header, child_frame_id=child_frame_id, transform=transform)


def matrix_from_pose(message: Pose) -> Array:
    """(4, 4) transform of a geometry_msgs/Pose."""
    position, q = message.position, message.orientation
    return make_transform(matrix_from_quaternion([q.x, q.y, q.z, q.w]), [position.x, position.y, position.z])


def matrix_from_transform(message: Transform) -> Array:
    """(4, 4) transform of a geometry_msgs/Transform."""
    t, q = message.translation, message.rotation
    return make_transform(matrix_from_quaternion([q.x, q.y, q.z, q.w]), [t.x, t.y, t.z])


SCALE_SOURCES = {
    ScaleSource.NETWORK: Hand3RStatus.SCALE_NETWORK,
    ScaleSource.DEPTH: Hand3RStatus.SCALE_DEPTH,
    ScaleSource.EARLIER_DEPTH: Hand3RStatus.SCALE_EARLIER_DEPTH,
}
"""Values of Hand3RStatus.scale_source."""


@dataclass(frozen=True)
class FrameReport:
    """What ~/status says about the image that was processed last."""

    header: Header
    state: int = Hand3RStatus.UNKNOWN
    session_id: int = 0
    frame_index: int = 0
    hands: int = 0
    decode_seconds: float = 0.0
    detect_seconds: float = 0.0
    inference_seconds: float = 0.0
    publish_seconds: float = 0.0
    image_age_seconds: float = 0.0
    scale_source: int = Hand3RStatus.SCALE_NETWORK


def frame_report(result: FrameResult, header: Header, decode_seconds: float) -> FrameReport:
    """What is known about an image before anything is published."""
    seconds = result.seconds
    return FrameReport(
        header=header,
        state=int(result.state),
        session_id=result.session_id,
        frame_index=result.frame_index,
        hands=len(result.seen_hands),
        scale_source=SCALE_SOURCES[result.scale_source],
        decode_seconds=decode_seconds,
        detect_seconds=seconds.detect,
        inference_seconds=seconds.prepare + seconds.network + seconds.pose + seconds.hands + seconds.mapping,
    )


def status(report: FrameReport, counters: Counters) -> Hand3RStatus:
    """hand3r_msgs/Hand3RStatus."""
    return Hand3RStatus(
        header=report.header,
        state=int(report.state),
        session_id=int(report.session_id),
        frame_index=int(report.frame_index),
        frames_received=counters.received,
        frames_processed=counters.processed,
        frames_dropped=counters.dropped + counters.too_old,
        frames_rejected=counters.rejected,
        last_error=counters.last_error,
        hands=int(report.hands),
        scale_source=int(report.scale_source),
        decode_seconds=float(report.decode_seconds),
        detect_seconds=float(report.detect_seconds),
        inference_seconds=float(report.inference_seconds),
        publish_seconds=float(report.publish_seconds),
        image_age_seconds=float(report.image_age_seconds),
    )


def _position_and_quaternion(T: ArrayLike) -> list[float]:
    """x, y, z, qx, qy, qz, qw as Python floats."""
    matrix = np.asarray(T, float)
    return [*matrix[:3, 3].tolist(), *quaternion_from_matrix(matrix[:3, :3]).tolist()]
