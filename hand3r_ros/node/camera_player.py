"""Node that plays a rendered scene, a video or images as a camera, with ground truth where it is known."""

from __future__ import annotations

import sys
from pathlib import Path

from geometry_msgs.msg import PoseStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, UInt32
from vision_msgs.msg import Detection2DArray

from hand3r_msgs.msg import HandMeshArray
from hand3r_ros.hand_model.data import OPEN_HAND
from hand3r_ros.node import messages, messages_hands, messages_scene
from hand3r_ros.node.callbacks import GuardedCallbacks
from hand3r_ros.node.demo import player_messages
from hand3r_ros.node.demo.declaring import declare_parameters
from hand3r_ros.node.demo.frame_sources import (
    FrameSource,
    GroundTruth,
    RealImages,
    SourceError,
    SourceFrame,
    open_images,
)
from hand3r_ros.node.demo.player_parameters import PlayerParameters
from hand3r_ros.node.demo.read_ahead import ReadAhead
from hand3r_ros.node.parameter_fields import ParameterError
from hand3r_ros.node.running import UNUSABLE, run_node

RENDERED_FRAMES = 100
POLL_SECONDS = 0.05
LOG_SECONDS = 5.0
ACKNOWLEDGE_SECONDS = 5.0


def open_source(parameters: PlayerParameters) -> FrameSource:
    """The source the parameters ask for; raises SourceError when it cannot be had."""
    if parameters.source:
        camera = parameters.intrinsics if any(parameters.intrinsics) else None
        options = RealImages(
            parameters.fps,
            parameters.frames,
            parameters.max_size,
            camera,  # type: ignore[arg-type]
            parameters.max_image_pixels,
        )
        return open_images(Path(parameters.source), options)
    # Rendering needs numba and a hand model: neither is loaded for a video.
    from hand3r_ros.node.demo.rendered_source import RenderedSource
    from hand3r_ros.synthetic.sequence import SceneConfig

    scene = SceneConfig(
        width=parameters.width,
        height=parameters.height,
        frames=parameters.frames or RENDERED_FRAMES,
        fps=parameters.fps or 5.0,
        camera=parameters.camera,
        hands=parameters.hands,
    )
    return RenderedSource(parameters.seed, scene)


class PlayerTopics:
    """The publishers; everything of one frame carries the same header."""

    def __init__(self, node: Node, parameters: PlayerParameters, has_truth: bool) -> None:
        self._parameters = parameters
        reliability = ReliabilityPolicy[parameters.reliability.upper()]
        image_qos = QoSProfile(depth=5, reliability=reliability)
        reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)

        def when(wanted: bool, message_type: type, topic: str, qos: QoSProfile = reliable) -> Publisher | None:
            return node.create_publisher(message_type, topic, qos) if wanted else None

        with_truth = has_truth and parameters.ground_truth
        self._image = node.create_publisher(Image, 'image', image_qos)
        self._camera_info = node.create_publisher(CameraInfo, 'camera_info', reliable)
        self._compressed = when(parameters.compressed, CompressedImage, 'image/compressed')
        self._detections = when(has_truth and parameters.detections, Detection2DArray, 'detections')
        self._true_hands = when(with_truth, HandMeshArray, 'ground_truth/hands')
        self._true_pose = when(with_truth, PoseStamped, 'ground_truth/camera_pose')
        self._true_depth = when(with_truth, Image, 'ground_truth/depth')

    def are_awaited(self) -> bool:
        """Everybody the parameters name has subscribed."""
        recorded = self._compressed is not None and self._compressed.get_subscription_count() > 0
        return self._image.get_subscription_count() >= self._parameters.wait_for_subscribers and (
            recorded or not self._parameters.wait_for_recorder
        )

    def publish(self, frame: SourceFrame, header: Header) -> None:
        """Send one frame; the image comes last, so that what belongs to it is there before it."""
        if frame.intrinsics is not None:
            self._camera_info.publish(messages_scene.camera_info(header, frame.intrinsics))
        if frame.truth is not None:
            self._publish_truth(frame.truth, header)
        if self._compressed is not None and self._compressed.get_subscription_count() > 0:
            self._compressed.publish(player_messages.jpeg_image(header, frame.image, self._parameters.jpeg_quality))
        self._image.publish(player_messages.rgb_image(header, frame.image))

    def wait_until_delivered(self) -> None:
        """Give reliable subscriptions the time to get the last frame."""
        self._image.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_SECONDS))

    def _publish_truth(self, truth: GroundTruth, header: Header) -> None:
        if self._detections is not None:
            self._detections.publish(player_messages.detections(header, truth, self._parameters.min_visible))
        if self._true_hands is None or self._true_pose is None or self._true_depth is None:
            return
        self._true_hands.publish(messages_hands.hand_mesh_array(header, truth.hands, OPEN_HAND, in_world=False))
        scene = messages.header(header.stamp, player_messages.SCENE_FRAME)
        self._true_pose.publish(messages.pose_stamped(scene, truth.T_world_camera))
        if self._true_depth.get_subscription_count() > 0:
            self._true_depth.publish(player_messages.depth_image(header, truth.depth))


class CameraPlayer(GuardedCallbacks, Node):
    """Plays a source as a camera.

    Publishes image, image/compressed, camera_info and, for rendered scenes, detections and ground_truth/hands,
    ground_truth/camera_pose, ground_truth/depth, all of one frame with the same stamp; at the end ~/finished (number
    of images, transient local). Parameters: :class:`PlayerParameters`.
    """

    def __init__(self) -> None:
        super().__init__('camera_player')
        self.parameters = declare_parameters(self, PlayerParameters)
        self.done: Future = Future()
        self._source: FrameSource = open_source(self.parameters)
        self._read_ahead = ReadAhead(self._source.frames, self.parameters.read_ahead, self.parameters.loop)
        self._topics = PlayerTopics(self, self.parameters, has_truth=not self.parameters.source)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._finished = self.create_publisher(UInt32, '~/finished', latched)
        self._rate = self._source.fps
        self._played, self._late = 0, 0
        self._began_waiting: float | None = None
        self._began_delay: float | None = None
        self._source_problem: Exception | None = None
        self._timer = self.create_timer(POLL_SECONDS, self._wait)
        self.get_logger().info(f'camera player: {self._source.description}')

    def finish(self) -> int:
        """Nothing remains to be said; the exit code tells whether the source could be played to its end."""
        if self._source_problem is None:
            return 0
        return UNUSABLE if isinstance(self._source_problem, SourceError) else 1

    def close(self) -> None:
        """Stop the thread that prepares frames."""
        self._read_ahead.close()
        for fault in self._source.faults:
            self.get_logger().warning(fault)

    def _seconds(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def _wait(self) -> None:
        """Begin to play once frames are prepared and everybody listens."""
        if not self._is_time_to_start():
            return
        self.destroy_timer(self._timer)
        self._timer = self.create_timer(1.0 / self._rate, self._play_next)
        self._play_next()

    def _is_time_to_start(self) -> bool:
        if self._source_is_over():
            return True
        now = self._seconds()
        if self._began_waiting is None:
            self._began_waiting = now
        if self._began_delay is None:
            waited = now - self._began_waiting
            timed_out = 0.0 < self.parameters.wait_timeout <= waited
            if timed_out:
                self.get_logger().warning(f'nobody subscribed for {waited:.0f} s: playing anyway')
            if not (self._read_ahead.is_full and self._topics.are_awaited()) and not timed_out:
                self.get_logger().info(
                    f'{self._read_ahead.ready} images prepared, waiting for subscriptions or more images',
                    throttle_duration_sec=LOG_SECONDS,
                )
                return False
            self._began_delay = now
        return now - self._began_delay >= self.parameters.start_delay

    def _source_is_over(self) -> bool:
        """All images were taken; also when the source can give no more of them, which is said once."""
        if self._source_problem is not None:
            return True
        try:
            return self._read_ahead.is_over
        except SourceError as error:
            problem: Exception = error
            self.get_logger().error(f'camera player: {error}')
        except Exception as error:
            problem = error
            self.note_failure('the source of images', error)
        self._source_problem = problem
        return True

    def _play_next(self) -> None:
        frame = self._read_ahead.take()
        if frame is None:
            if self._source_is_over():
                self._finish()
                return
            self._late += 1
            self.get_logger().warning(
                f'images are prepared too slowly for {self._rate:g} Hz ({self._late} late)',
                throttle_duration_sec=LOG_SECONDS,
            )
            return
        self._topics.publish(frame, messages.header(self.get_clock().now().to_msg(), self.parameters.frame_id))
        self._played += 1

    def _finish(self) -> None:
        self.destroy_timer(self._timer)
        self._topics.wait_until_delivered()
        self._finished.publish(UInt32(data=self._played))
        self._finished.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_SECONDS))
        self.get_logger().info(f'camera player: {self._played} images played, {self._late} times late')
        if self.parameters.exit_at_end or self._source_problem is not None:
            self.done.set_result(True)


def main(arguments: list[str] | None = None) -> int:
    """Run the node; the exit code is 2 when the parameters or the source are unusable."""
    return run_node('camera_player', CameraPlayer, arguments, (ParameterError, SourceError))


if __name__ == '__main__':
    sys.exit(main())
