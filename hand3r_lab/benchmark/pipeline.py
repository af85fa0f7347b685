"""The shipped network, the online pipeline and what the node adds around it, on rendered frames with two hands.

Numbers belong to the machine they were measured on; compare rows of one run. Medians over all measured frames, after
a warm-up. Memory is the resident set of this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand3r_lab.benchmark.depth import depth_numbers
from hand3r_lab.benchmark.landmarks import landmark_numbers
from hand3r_lab.benchmark.measuring import median_seconds, resident_mebibytes
from hand3r_lab.benchmark.throughput import measure_throughput
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.checkpoints.locations import find_weights_folder
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.online.config import DetectionConfig, ReconstructorConfig
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, FrameResult, HandDetection

WARM_UP = 5
RENDERED_FRAMES = 20  # drawn once, then shown again and again, forwards and backwards
NODE_POINTS = 50_000
NETWORK_FRAMES = 20


def measure_pipeline(preset: str, weights_dir: Path | None, frames: int) -> dict[str, float]:
    """Network, online pipeline, node overhead and hands by landmarks with the weights of ``preset``."""
    reconstructor = build_reconstructor(
        ReconstructorConfig(preset=preset, weights_dir=weights_dir, detection=DetectionConfig(detector='topic'))
    )
    camera_frames = rendered_camera_frames()
    network, _ = load_network(find_weights_folder(preset, weights_dir), preset)
    numbers = network_numbers(network)
    online, result = online_numbers(reconstructor, camera_frames, frames)
    beside = depth_numbers(network.config.image_long_side) | landmark_numbers(weights_dir)
    return numbers | online | node_numbers(camera_frames[0], result) | beside


def rendered_camera_frames() -> list[CameraFrame]:
    """Frames of 640 x 480 with two boxes each, whatever the scene holds."""
    sequence = Sequence(sequence_seed('validation', 0), SceneConfig(width=640, height=480, frames=RENDERED_FRAMES))
    boxes = (
        HandDetection(np.array([150.0, 220.0, 270.0, 340.0]), HandSide.LEFT, 1.0),
        HandDetection(np.array([360.0, 230.0, 480.0, 350.0]), HandSide.RIGHT, 1.0),
    )
    rendered = [sequence.frame(index) for index in range(len(sequence))]
    return [CameraFrame(frame.image, 0, frame.intrinsics, boxes) for frame in rendered]


def network_numbers(network: Hand3R) -> dict[str, float]:
    """The bare network at its working resolution, 0 to 2 hands."""
    width = network.config.image_long_side
    height = round(width * 3 / 4) // 16 * 16
    measured = measure_throughput(network, (height, width), hands=(0, 1, 2), frames=NETWORK_FRAMES)
    return {f'network {width}x{height}, {m.hands} hands: ms per frame': m.milliseconds for m in measured}


def online_numbers(
    reconstructor: OnlineReconstructor, camera_frames: list[CameraFrame], frames: int
) -> tuple[dict[str, float], FrameResult]:
    """The whole pipeline frame by frame, and how memory moves over the run."""
    cycle = camera_frames + camera_frames[-2:0:-1]
    seconds, memory = [], []
    stages: list[object] = []
    for index in tqdm(range(frames + WARM_UP), desc='online', mininterval=2.0):
        source = cycle[index % len(cycle)]
        frame = CameraFrame(source.image, round(index * 1e8), source.intrinsics, source.detections)
        start = time.perf_counter()
        result = reconstructor.process(frame)
        if index >= WARM_UP:
            seconds.append(time.perf_counter() - start)
            stages.append(result.seconds)
            memory.append(resident_mebibytes())
    tenth = max(1, len(memory) // 10)
    numbers = {
        'online, 2 hands: ms per frame, median': 1e3 * float(np.median(seconds)),
        'online, 2 hands: ms per frame, 95 %': 1e3 * float(np.percentile(seconds, 95)),
        'online, 2 hands: frames per second': 1.0 / float(np.median(seconds)),
    }
    for stage in ('prepare', 'detect', 'network', 'pose', 'hands', 'mapping'):
        numbers[f'  of that {stage}, ms'] = 1e3 * float(np.median([getattr(s, stage) for s in stages]))
    numbers['memory, first tenth of the run, MiB'] = float(np.mean(memory[:tenth]))
    numbers['memory, last tenth of the run, MiB'] = float(np.mean(memory[-tenth:]))
    return numbers, result


def node_numbers(camera_frame: CameraFrame, result: FrameResult) -> dict[str, float]:
    """What the node adds: image message to array, result to all messages. Needs ROS 2 or embedded_ros."""
    try:
        from std_msgs.msg import Header
    except ImportError:
        return {}
    from hand3r_ros.node import messages, messages_hands, messages_scene
    from hand3r_ros.node.image_decoding import decode_image

    height, width = camera_frame.image.shape[:2]
    from sensor_msgs.msg import Image

    image = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    image.data = messages.packed('B', camera_frame.image)
    header = Header(frame_id='camera')
    points = np.random.default_rng(0).uniform(0.2, 3.0, (NODE_POINTS, 3)).astype(np.float32)
    colors = np.zeros((NODE_POINTS, 3), np.uint8)
    pieces: dict[str, Callable[[], object]] = {
        'node: image message to array, ms': lambda: decode_image(image),
        'node: hands with vertices to message, ms': lambda: messages_hands.hand_mesh_array(
            header, result.hands, 'open_hand', True
        ),
        f'node: {NODE_POINTS} points to message, ms': lambda: messages_scene.point_cloud(header, points, colors),
        'node: pose and TF to messages, ms': lambda: (
            messages.pose_stamped(header, result.T_world_camera),
            messages.transform_stamped(header, 'camera', result.T_world_camera),
        ),
    }
    numbers = {name: 1e3 * median_seconds(piece, 50).wall for name, piece in pieces.items()}
    numbers['node: overhead in all, ms'] = sum(numbers.values())
    return numbers
