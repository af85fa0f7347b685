"""Sends single frames to a reconstructor, and says what must not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from truth_network import camera_frame


def send(reconstructor, rendered, index, **changes):
    reconstructor.network.frame = rendered
    return reconstructor.process(camera_frame(rendered, index, **changes))


def state_of(reconstructor):
    """Everything a refused frame must not touch."""
    cloud = reconstructor.map.snapshot()
    return (
        float(reconstructor.snapshot().session.scene.tokens.sum()),
        reconstructor.session_id,
        reconstructor.snapshot().session.frame_index,
        reconstructor.snapshot().session.last_stamp_ns,
        frozenset(track.track_id for track in reconstructor.snapshot().tracker.tracks),
        cloud.points.tobytes(),
        cloud.counts.tobytes(),
    )


def half_size(rendered):
    camera = rendered.intrinsics.resized(224, 160)
    hands = tuple(replace(h, box=h.box / 2, keypoints_image=h.keypoints_image / 2) for h in rendered.hands)
    parts = (np.ascontiguousarray(part[::2, ::2]) for part in (rendered.image, rendered.depth, rendered.segmentation))
    image, depth, segmentation = parts
    return replace(rendered, image=image, depth=depth, segmentation=segmentation, intrinsics=camera, hands=hands)
