"""Rigid transforms of plain floats: rotation as quaternion (x, y, z, w), translation as (x, y, z)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
ALMOST_PARALLEL = 0.9995


class Rigid(NamedTuple):
    """p -> rotation * p + translation."""

    translation: Vector
    rotation: Quaternion


IDENTITY = Rigid((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Hamilton product: first b, then a."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def rotate(q: Quaternion, v: Vector) -> Vector:
    """Rotate a vector by a unit quaternion."""
    qx, qy, qz, qw = q
    vx, vy, vz = v
    tx, ty, tz = 2 * (qy * vz - qz * vy), 2 * (qz * vx - qx * vz), 2 * (qx * vy - qy * vx)
    return (
        vx + qw * tx + qy * tz - qz * ty,
        vy + qw * ty + qz * tx - qx * tz,
        vz + qw * tz + qx * ty - qy * tx,
    )


def normalized(q: Quaternion) -> Quaternion:
    """Unit quaternion of the same rotation."""
    length = math.sqrt(sum(c * c for c in q))
    return (q[0] / length, q[1] / length, q[2] / length, q[3] / length)


def compose(a: Rigid, b: Rigid) -> Rigid:
    """First b, then a."""
    x, y, z = rotate(a.rotation, b.translation)
    tx, ty, tz = a.translation
    return Rigid((x + tx, y + ty, z + tz), multiply(a.rotation, b.rotation))


def inverse(a: Rigid) -> Rigid:
    """The transform that undoes a."""
    x, y, z, w = a.rotation
    back = (-x, -y, -z, w)
    tx, ty, tz = rotate(back, a.translation)
    return Rigid((-tx, -ty, -tz), back)


def slerp(a: Quaternion, b: Quaternion, fraction: float) -> Quaternion:
    """Rotation on the shorter way from a to b."""
    cosine = sum(p * q for p, q in zip(a, b, strict=True))
    sign = -1.0 if cosine < 0 else 1.0
    cosine = abs(cosine)
    if cosine > ALMOST_PARALLEL:
        wa, wb = 1 - fraction, fraction
    else:
        angle = math.acos(cosine)
        wa, wb = (math.sin((1 - fraction) * angle) / math.sin(angle), math.sin(fraction * angle) / math.sin(angle))
    wb *= sign
    return normalized((wa * a[0] + wb * b[0], wa * a[1] + wb * b[1], wa * a[2] + wb * b[2], wa * a[3] + wb * b[3]))


def interpolate(a: Rigid, b: Rigid, fraction: float) -> Rigid:
    """Transform between a (fraction 0) and b (fraction 1)."""
    (ax, ay, az), (bx, by, bz) = a.translation, b.translation
    translation = (ax + fraction * (bx - ax), ay + fraction * (by - ay), az + fraction * (bz - az))
    return Rigid(translation, slerp(a.rotation, b.rotation, fraction))


def from_message(transform: Any) -> Rigid:
    """Transform of a geometry_msgs/Transform."""
    t, r = transform.translation, transform.rotation
    return Rigid((t.x, t.y, t.z), (r.x, r.y, r.z, r.w))


def to_message(rigid: Rigid) -> Any:
    """Return a geometry_msgs/Transform."""
    from geometry_msgs.msg import Quaternion as QuaternionMessage
    from geometry_msgs.msg import Transform, Vector3

    (tx, ty, tz), (x, y, z, w) = rigid
    return Transform(translation=Vector3(x=tx, y=ty, z=tz), rotation=QuaternionMessage(x=x, y=y, z=z, w=w))
