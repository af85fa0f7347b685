"""Joint and keypoint orders of MANO-format hands: names, parents, the OpenPose order and the fingertip vertices.

A hand has 16 joints in MANO order (wrist, then index, middle, little, ring, thumb, each from base to tip). Appending
the five fingertip vertices (thumb, index, middle, ring, little) gives 21 points, which ``OPENPOSE_FROM_MANO`` brings
into the OpenPose order: wrist, then thumb, index, middle, ring, little, each from base to tip.
"""

from __future__ import annotations

NUM_VERTICES = 778
NUM_JOINTS = 16
NUM_BETAS = 10

FINGERS: tuple[str, ...] = ('index', 'middle', 'little', 'ring', 'thumb')
"""Fingers in the order of the MANO joints."""

JOINT_NAMES: tuple[str, ...] = ('wrist', *(f'{finger}_{number}' for finger in FINGERS for number in (1, 2, 3)))
"""The 16 joints in MANO order; number 1 is the joint nearest to the palm."""

JOINT_PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""Parent of each MANO joint; -1 for the wrist."""

OPENPOSE_FINGERS: tuple[str, ...] = ('thumb', 'index', 'middle', 'ring', 'little')
"""Fingers in the order of the OpenPose keypoints and of ``FINGERTIP_VERTICES``."""

FINGERTIP_VERTICES: tuple[int, ...] = (744, 320, 443, 554, 671)
"""Vertices that stand for the fingertips, thumb to little finger (the choice of smplx and HaMeR)."""

DEXYCB_FINGERTIP_VERTICES: tuple[int, ...] = (745, 317, 444, 556, 673)
"""Fingertips as DexYCB and HOI4D annotate right hands (manopth): evaluate on those data sets with these."""

OPENPOSE_FROM_MANO: tuple[int, ...] = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""``points21[..., OPENPOSE_FROM_MANO, :]`` reorders 16 MANO joints + 5 fingertips to OpenPose."""

KEYPOINT_NAMES: tuple[str, ...] = (
    'wrist',
    *(f'{finger}_{part}' for finger in OPENPOSE_FINGERS for part in ('1', '2', '3', 'tip')),
)
"""The 21 keypoints in OpenPose order; numbers as in ``JOINT_NAMES``."""

KEYPOINT_PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
"""Parent of each OpenPose keypoint; -1 for the wrist."""

KEYPOINT_BONES: tuple[tuple[int, int], ...] = tuple(
    (parent, child) for child, parent in enumerate(KEYPOINT_PARENTS) if parent >= 0
)
"""The 20 (parent, child) pairs to draw a hand skeleton from OpenPose keypoints."""
