"""Node that watches a run: progress while it lasts, then accuracy, latency, a picture and where everything is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import TransitionEvent
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import UInt32

from hand3r_lab.demo.collector import Collector
from hand3r_lab.demo.results import write_results
from hand3r_lab.demo.warm_up import warm_up
from hand3r_msgs.msg import Hand3RStatus, HandMeshArray, HandTopology
from hand3r_ros.node.callbacks import GuardedCallbacks
from hand3r_ros.node.declaring import declare_parameters
from hand3r_ros.node.parameter_fields import Changes, ParameterError, parameter
from hand3r_ros.node.running import run_node

START = Changes.NEVER
POLL_SECONDS = 0.2
NOTHING_PROCESSED = 3


@dataclass(frozen=True)
class MonitorParameters:
    """What is watched and where the results go."""

    node: str = parameter('hand3r', 'Name of the node that is watched', START)
    player: str = parameter('camera_player', 'Name of the camera player; its end is the end of the run', START)
    output_dir: str = parameter('out/demo', 'Folder for summary.txt, summary.json and picture.png', START, is_path=True)
    recording: str = parameter('', 'Path of the recording, for the summary; empty: none', START)
    title: str = parameter('', 'Second part of the title of the picture', START)
    mirrored_image: bool = parameter(False, 'Images are mirrored, as in the parameters of the node', START)
    progress_period: float = parameter(2.0, 'Seconds between progress lines', START, minimum=0.1, maximum=3600.0)
    node_timeout: float = parameter(
        180.0, 'Give up when the node has sent nothing for this long from the start, s', START, minimum=1.0, maximum=1e5
    )
    result_timeout: float = parameter(
        5.0, 'Longest wait for the results of the last images, s', START, minimum=0.0, maximum=3600.0
    )
    map_wait: float = parameter(1.5, 'Longest wait after that for the last map, s', START, minimum=0.0, maximum=60.0)


class DemoMonitor(GuardedCallbacks, Node):
    """Subscribes to images, all outputs of the node and the ground truth; publishes nothing."""

    def __init__(self) -> None:
        super().__init__('demo_monitor')
        self.parameters = declare_parameters(self, MonitorParameters)
        self.done: Future = Future()
        self._collector = Collector()
        self._played: int | None = None  # set at the end of the run
        self._began, self._status_seen = self._seconds(), False
        self._ended_at: float | None = None
        self._last_progress = -float('inf')
        self._subscribe()
        self.create_timer(POLL_SECONDS, self._watch)
        # Drawing is compiled on first use: done now, while everybody is still starting.
        threading.Thread(target=warm_up, name='warm_up', daemon=True).start()

    def _subscribe(self) -> None:
        collector, node = self._collector, self.parameters.node
        latched = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self.create_subscription(Image, 'image', collector.on_image, 10)
        self.create_subscription(CameraInfo, 'camera_info', collector.on_camera_info, 10)
        self.create_subscription(HandMeshArray, f'{node}/hands', self._timed(collector.on_hands), 10)
        self.create_subscription(PoseStamped, f'{node}/camera_pose', collector.on_camera_pose, 10)
        self.create_subscription(PointCloud2, f'{node}/points', collector.on_points, 5)
        self.create_subscription(PointCloud2, f'{node}/map', collector.on_map, latched)
        self.create_subscription(HandTopology, f'{node}/hand_topology', collector.on_topology, latched)
        self.create_subscription(Hand3RStatus, f'{node}/status', self._on_status, 10)
        self.create_subscription(TransitionEvent, f'{node}/transition_event', self._on_transition, 10)
        self.create_subscription(HandMeshArray, 'ground_truth/hands', collector.on_true_hands, 10)
        self.create_subscription(PoseStamped, 'ground_truth/camera_pose', collector.on_true_pose, 10)
        self.create_subscription(Image, 'ground_truth/depth', collector.on_true_depth, 10)
        self.create_subscription(UInt32, f'{self.parameters.player}/finished', self._on_finished, latched)

    def _timed(self, callback: Callable[[Any, int], None]) -> Callable[[Any], None]:
        return lambda message: callback(message, self.get_clock().now().nanoseconds)

    def _seconds(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def _on_status(self, message: Hand3RStatus) -> None:
        self._status_seen = True
        self._collector.on_status(message)

    def _on_transition(self, message: TransitionEvent) -> None:
        if (message.start_state.label, message.goal_state.label) == ('configuring', 'unconfigured'):
            self.get_logger().error(f"node '{self.parameters.node}' could not configure: see its log")
            self._end(False)

    def _end(self, well: bool) -> None:
        if not self.done.done():
            self.done.set_result(well)

    def _on_finished(self, message: UInt32) -> None:
        if self._played is None:
            self._played, self._ended_at = int(message.data), self._seconds()
            self.get_logger().info(f'the camera stopped after {self._played} images')

    def _watch(self) -> None:
        now = self._seconds()
        if not self._status_seen and now - self._began > self.parameters.node_timeout:
            self.get_logger().error(
                f"node '{self.parameters.node}' sent no status for {self.parameters.node_timeout:g} s: see its log"
            )
            self._end(False)
        elif self._ended_at is not None and now >= self._end_of_waiting(self._ended_at):
            self._end(True)
        elif now - self._last_progress >= self.parameters.progress_period and self._collector.run.images:
            self._last_progress = now
            self._report_progress()

    def _end_of_waiting(self, ended_at: float) -> float:
        """When to stop: soon after the last result, later when it does not come."""
        last = self._collector.last_image_ns
        complete = last is not None and self._collector.run.at(last).hands is not None
        return ended_at + self.parameters.map_wait + (0.0 if complete else self.parameters.result_timeout)

    def _report_progress(self) -> None:
        run = self._collector.run
        latencies = run.latencies()[-20:]
        latency = f'{1e3 * float(np.median(latencies)):.0f} ms' if len(latencies) else 'unknown'
        newest = next((record for _, record in reversed(run.in_order()) if record.hands is not None), None)
        hands = '-' if newest is None or newest.hands is None else len(newest.hands)
        self.get_logger().info(
            f'{run.images} images, {run.results} processed, {run.node.dropped} dropped, '
            f'{run.node.rejected} rejected, hands now {hands}, latency {latency}'
        )

    def finish(self) -> int:
        """Write and print the results; gives the exit code."""
        collector = self._collector
        if not collector.run.results:
            print('demo_monitor: no image was processed, so there is nothing to sum up', file=sys.stderr)
            return NOTHING_PROCESSED
        parameters = self.parameters
        text = write_results(
            collector, Path(parameters.output_dir), parameters.title, parameters.recording, parameters.mirrored_image
        )
        print(text, flush=True)
        return 0

    def close(self) -> None:
        """Nothing to close."""


def main(arguments: list[str] | None = None) -> int:
    """Run the node; ended early (Ctrl-C) it still sums up what it has seen."""
    return run_node('demo_monitor', DemoMonitor, arguments, (ParameterError,), grace_seconds=None)


if __name__ == '__main__':
    sys.exit(main())
