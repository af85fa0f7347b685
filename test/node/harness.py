"""Runs the node as its own process and talks to it over the middleware, the way a user's nodes do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_domain import private_domain, release_domain
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.node import messages, messages_scene
from hand3r_ros.node.lens import LensDistortion

PATIENCE = 120.0  # s; generous, because nothing here is about speed
CAMERA = Intrinsics(300.0, 300.0, 159.5, 119.5, 320, 240)
CAMERA_FRAME = 'test_camera_optical'
RELIABLE_IMAGES = {'qos_overrides./image.subscription.reliability': 'reliable'}
"""Parameters for tests that count on every image."""


def picture(number: int = 0, width: int = 320, height: int = 240) -> np.ndarray:
    """(H, W, 3) RGB that changes a little from number to number."""
    v, u = np.indices((height, width))
    return np.stack([(u + 3 * number) % 256, (v + 2 * number) % 256, (u // 2 + v // 3) % 256], -1).astype(np.uint8)


def image_message(stamp_ns: int, pixels: np.ndarray, **changes: Any) -> Image:
    """sensor_msgs/Image rgb8 of (H, W, 3) pixels; ``changes`` overwrite fields."""
    height, width = pixels.shape[:2]
    fields = {
        'header': messages.header(messages.time_from_nanoseconds(stamp_ns), CAMERA_FRAME),
        'height': height,
        'width': width,
        'encoding': 'rgb8',
        'step': 3 * width,
        'data': messages.packed('B', pixels),
    }
    return Image(**{**fields, **changes})


def detections_message(stamp_ns: int, hands: dict[str, tuple[float, float, float, float]]) -> Detection2DArray:
    """vision_msgs/Detection2DArray of boxes x1, y1, x2, y2 by side."""
    array = Detection2DArray(header=messages.header(messages.time_from_nanoseconds(stamp_ns), CAMERA_FRAME))
    for number, (side, (x1, y1, x2, y2)) in enumerate(hands.items()):
        detection = Detection2D(header=array.header, id=str(number))
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = side, 0.9
        detection.results = [hypothesis]
        detection.bbox.center.position.x, detection.bbox.center.position.y = (x1 + x2) / 2, (y1 + y2) / 2
        detection.bbox.size_x, detection.bbox.size_y = float(x2 - x1), float(y2 - y1)
        array.detections.append(detection)
    return array


class Client(Node):
    """A node beside the tested one; spins on a thread of its own and records what it is told to subscribe to."""

    def __init__(self, context: rclpy.Context) -> None:
        super().__init__('test_client', context=context)
        self.received: dict[str, list[Any]] = {}
        self.sent_at: dict[str, list[int]] = {}  # when each was published, ns, by the clock of the sender
        self._changed = threading.Condition(threading.RLock())
        self._service_clients: dict[str, Any] = {}
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def record(self, message_type: type, topic: str, latched: bool = False, depth: int = 100) -> None:
        """Record every message of a topic in ``received[topic]``."""
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        qos = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
        self.received[topic], self.sent_at[topic] = [], []
        self.create_subscription(message_type, topic, lambda message, info: self._take(topic, message, info), qos)

    def _take(self, topic: str, message: Any, info: Any) -> None:
        with self._changed:
            self.received[topic].append(message)
            self.sent_at[topic].append(info['source_timestamp'])
            self._changed.notify_all()

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
        """The first true value of ``condition``, checked when messages arrive; fails after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (value := condition()):
                assert time.monotonic() < deadline, f'waited {timeout:g} s for {what}'
                self._changed.wait(0.05)
            return value

    def message_at(self, topic: str, stamp_ns: int) -> Any:
        """The last message of a topic with this stamp, once it came."""
        return self.wait(lambda: self.find(topic, stamp_ns), f'a message on {topic} with stamp {stamp_ns}')

    def find(self, topic: str, stamp_ns: int) -> Any:
        """The last message of a topic with this stamp, None when there is none yet."""
        with self._changed:
            return next((m for m in reversed(self.received[topic]) if stamp_of(m) == stamp_ns), None)

    def sending_time(self, topic: str, message: Any) -> int:
        """When a received message was published, ns."""
        with self._changed:
            index = next(i for i, other in enumerate(self.received[topic]) if other is message)
            return self.sent_at[topic][index]

    def forget(self, topic: str) -> None:
        """Drop what was recorded of a topic."""
        with self._changed:
            self.received[topic].clear()
            self.sent_at[topic].clear()

    def call(self, service_type: type, name: str, request: Any) -> Any:
        """The response of a service."""
        if name not in self._service_clients:
            self._service_clients[name] = self.create_client(service_type, name)
            assert self._service_clients[name].wait_for_service(PATIENCE), f'no service {name}'
            # That the server knows where to send its answer cannot be seen from here.
            time.sleep(0.3)
        future = self._service_clients[name].call_async(request)
        self.wait(future.done, f'an answer of {name}')
        return future.result()

    def close(self) -> None:
        """Stop spinning and leave."""
        self._executor.shutdown()
        self._thread.join(10.0)
        self.destroy_node()


def stamp_of(message: Any) -> int:
    """Stamp of a message in nanoseconds; of /tf messages that of the first transform."""
    header = message.transforms[0].header if hasattr(message, 'transforms') else message.header
    return int(header.stamp.sec * 1_000_000_000 + header.stamp.nanosec)


class RunningNode:
    """The tested node in a process of its own, with a client beside it."""

    def __init__(
        self, parameters: dict[str, Any], environment: dict[str, str] | None = None, preparation: str = ''
    ) -> None:
        self._domain = domain = private_domain()
        self.context = rclpy.Context()
        rclpy.init(args=[], context=self.context, domain_id=domain)
        self.client = Client(self.context)
        self.client.record(Log, '/rosout', latched=True, depth=1000)
        self.process = _start(parameters, domain, environment or {}, preparation)
        self.stamp_ns = 1_000_000_000_000
        self._camera_number = 0
        self._closed = False

    def close(self) -> int:
        """End the node with SIGINT and give its exit code; the second time only that."""
        if self._closed:
            return int(self.process.returncode)
        self._closed = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.client.close()
        rclpy.shutdown(context=self.context)
        release_domain(self._domain)
        return code

    # Life cycle and parameters

    def state(self) -> str:
        """Label of the life cycle state."""
        return str(self.client.call(GetState, '/hand3r/get_state', GetState.Request()).current_state.label)

    def wait_for_state(self, label: str) -> None:
        """Wait until the node is in a state of its life cycle."""
        deadline = time.monotonic() + PATIENCE
        while (state := self.state()) != label:
            assert time.monotonic() < deadline, f'waited for state {label}, the node is {state}; log: {self.log()}'
            time.sleep(0.1)

    def change_state(self, transition: int) -> bool:
        """Ask for a transition; True when it succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.client.call(ChangeState, '/hand3r/change_state', request).success)

    def set_parameter(self, name: str, value: Any) -> Any:
        """rcl_interfaces/SetParametersResult of setting one parameter."""
        request = SetParametersAtomically.Request()
        request.parameters = [Parameter(name, value=value).to_parameter_msg()]
        return self.client.call(SetParametersAtomically, '/hand3r/set_parameters_atomically', request).result

    def log(self, level: int = 30) -> list[str]:
        """Log lines of the node, warnings and worse by default."""
        return [m.msg for m in self.client.received['/rosout'] if m.name == 'hand3r' and m.level >= level]

    # Images

    def create_camera(self, image_type: type = Image, topic: str = 'image') -> None:
        """Make the publishers of a camera."""
        reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self.image_publisher = self.client.create_publisher(image_type, topic, reliable)
        self.info_publisher = self.client.create_publisher(CameraInfo, 'camera_info', reliable)
        self.detections_publisher = self.client.create_publisher(Detection2DArray, 'detections', reliable)

    def wait_for_subscriptions(self) -> None:
        """Wait until the node listens to the camera, and until what it will say about it can be heard.

        A subscription that has not discovered its publisher yet misses what that sends, though it is reliable.
        """
        publishers = (self.image_publisher, self.info_publisher, self.detections_publisher)
        self.client.wait(lambda: all(p.get_subscription_count() for p in publishers), 'the subscriptions of the node')
        outputs = [topic for topic in self.client.received if topic.startswith('/hand3r/')]
        self.client.wait(lambda: all(map(self.client.count_publishers, outputs)), 'the publishers of the node')

    def next_stamp(self) -> int:
        """A stamp 0.1 s after the one before, in nanoseconds."""
        self.stamp_ns += 100_000_000
        return self.stamp_ns

    def send(
        self,
        pixels: np.ndarray | None = None,
        hands: dict[str, tuple[float, float, float, float]] | None = None,
        stamp_ns: int | None = None,
        camera: Intrinsics | None = CAMERA,
        lens: LensDistortion | None = None,
    ) -> int:
        """Publish detections, calibration and image of one moment; gives its stamp."""
        self._camera_number += 1
        stamp_ns = self.next_stamp() if stamp_ns is None else stamp_ns
        header = messages.header(messages.time_from_nanoseconds(stamp_ns), CAMERA_FRAME)
        if camera is not None:
            info = messages_scene.camera_info(header, camera)
            if lens is not None:
                info.distortion_model, info.d = lens.model, array('d', lens.coefficients)
            self.info_publisher.publish(info)
        self.detections_publisher.publish(detections_message(stamp_ns, hands or {}))
        self.image_publisher.publish(
            image_message(stamp_ns, picture(self._camera_number) if pixels is None else pixels)
        )
        return stamp_ns

    def wait_until_taken(self) -> None:
        """Wait until the image callback of the node had every image sent so far, whatever it did with them.

        A request that is sent after an image may overtake it. Once acknowledged, the image waits at the node's
        executor, which looks at everything that waits between two answers that were asked for one after the other.
        Only for ``RELIABLE_IMAGES``: others are never acknowledged.
        """
        assert self.image_publisher.wait_for_all_acked(Duration(seconds=PATIENCE)), 'images were not acknowledged'
        for _ in range(2):
            self.state()


LAB_EXECUTABLES = ('rendered_camera', 'demo_monitor')


def command(name: str, preparation: str = '') -> list[str]:
    """The command line of an executable of the package; ``preparation`` is Python code that is run before it."""
    room = 'hand3r_lab.demo' if name in LAB_EXECUTABLES else 'hand3r_ros.node'
    code = f'import sys; from {room} import executables\n{preparation}\nsys.exit(executables.{name}())'
    return [sys.executable, '-c', code]


def _start(
    parameters: dict[str, Any], domain: int, environment: dict[str, str], preparation: str
) -> subprocess.Popen[bytes]:
    arguments = [*command('hand3r_node', preparation), '--ros-args']
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ['-p', f'{name}:={text}']
    inherited = {**os.environ, 'ROS_DOMAIN_ID': str(domain), 'OMP_NUM_THREADS': '1', **environment}
    return subprocess.Popen(arguments, env=inherited, cwd=Path(__file__).parents[2])


@contextmanager
def running_node(
    parameters: dict[str, Any], environment: dict[str, str] | None = None, preparation: str = ''
) -> Iterator[RunningNode]:
    """A running node that is ended afterwards; ``preparation`` is Python code that its process runs first."""
    node = RunningNode(parameters, environment, preparation)
    try:
        yield node
    finally:
        node.close()
