"""Memory does not grow with a stream: state tensors, arrays and Python objects stay as many and as big."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from truth_network import TruthNetwork, camera_frame, make_reconstructor

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import MapConfig, SmoothingConfig
from hand3r_ros.online.state_codec import encode

MAP_LIMIT = 2000
TRACKS = tuple(f'pose.{name}' for name in ('pixels', 'centers', 'rays', 'log_depth', 'predicted', 'past', 'measured'))


def leaves(tree) -> int:
    if isinstance(tree, dict):
        return sum(leaves(item) for item in tree.values())
    return sum(leaves(item) for item in tree) if isinstance(tree, list) else 1


def held(reconstructor) -> tuple[int, int, int]:
    """What a session holds besides its map: numbers, tensors, bytes; and the map within its limit."""
    memory = reconstructor.snapshot()
    assert len(memory.map.keys) <= MAP_LIMIT
    # Every voxel takes about 80 bytes; a frame may add as many as it has pixels before the limit is applied.
    assert reconstructor.map.memory_bytes() < 80 * (MAP_LIMIT + 160 * 224)
    tensors: dict[str, torch.Tensor] = {}
    count = leaves(encode(memory, tensors))
    others = {name: t for name, t in tensors.items() if not name.startswith(('map.', *TRACKS))}
    return count, len(others), sum(tensor.nbytes for tensor in others.values())


@pytest.mark.parametrize('source', ['network', 'geometric'])
def test_what_a_session_holds_stays_the_same(two_hands, source):
    network = TruthNetwork()
    reconstructor = make_reconstructor(
        network,
        pose_source=source,
        smoothing=SmoothingConfig(enabled=True),
        map=MapConfig(min_confidence=2.0, voxel_size=0.02, max_points=MAP_LIMIT),
        reset_interval=5,
    )
    cycle = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    sizes, objects = [], []
    for index in range(61):
        network.frame = two_hands[cycle[index % len(cycle)]]
        # Without calibration, so that focal lengths are remembered as well (31 at most).
        reconstructor.process(camera_frame(network.frame, index, intrinsics=None))
        if index in (40, 60):  # the same picture, when everything that fills up is full
            sizes.append(held(reconstructor))
            gc.collect()
            objects.append(len(gc.get_objects()))
    assert sizes[0] == sizes[1]
    assert len(reconstructor.snapshot().tracker.tracks) <= reconstructor.config.max_hands
    pose = reconstructor.snapshot().pose
    # Tracks differ by chance, but are few, and so are the views that they were seen in.
    most = reconstructor.config.geometric_pose.max_features
    assert len(pose.get('pixels', ())) <= most
    assert pose.get('past_pixels', np.zeros((0, 0))).size <= 2 * 8 * most
    assert objects[1] - objects[0] < 15  # 20 frames lie between; one object per frame would be 20


@torch.inference_mode()
def test_state_tensors_own_just_their_memory():
    torch.manual_seed(0)
    network = Hand3R(preset('tiny'))
    reconstructor = make_reconstructor(network, state_update='ttt3r', map=MapConfig(enabled=False))
    storages = []
    picture = np.random.default_rng(0).integers(0, 255, (160, 224, 3)).astype(np.uint8)
    for index in range(5):
        from hand3r_ros.online.results import CameraFrame

        reconstructor.process(CameraFrame(np.roll(picture, 8 * index, axis=1), index * 10**8, None, ()))
        scene = reconstructor.snapshot().session.scene
        for tensor in (scene.tokens, scene.memory):
            assert tensor.untyped_storage().nbytes() == tensor.nbytes  # no view of something larger
            assert tensor.grad_fn is None
        storages.append(scene.tokens.nbytes + scene.memory.nbytes)
    assert len(set(storages)) == 1
