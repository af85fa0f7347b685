"""Node that plays a video, images or a camera of this machine as a camera topic."""

from __future__ import annotations

import sys
from pathlib import Path

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, UInt32

from hand3r_ros.node import messages, messages_scene, player_messages
from hand3r_ros.node.callbacks import GuardedCallbacks
from hand3r_ros.node.camera_device import CameraDevice, is_camera
from hand3r_ros.node.declaring import declare_parameters
from hand3r_ros.node.frame_sources import (
    FrameSource,
    RealImages,
    SourceError,
    SourceFrame,
    open_images,
)
from hand3r_ros.node.parameter_fields import ParameterError
from hand3r_ros.node.player_parameters import PlayerParameters
from hand3r_ros.node.read_ahead import ReadAhead
from hand3r_ros.node.running import UNUSABLE, run_node

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
POLL_SECONDS = 0.05
LOG_SECONDS = 5.0
ACKNOWLEDGE_SECONDS = 5.0


def open_file(parameters: PlayerParameters) -> FrameSource:
    """The source that the parameters name; raises SourceError when it cannot be had."""
    if not parameters.source:
        raise SourceError(
            'parameter source is empty: name a video, an image, a folder of images or a camera (-p source:=/dev/video0)'
        )
    camera = parameters.intrinsics if any(parameters.intrinsics) else None
    options = RealImages(
        parameters.fps,
        parameters.frames,
        parameters.max_size,
        camera,  # type: ignore[arg-type]
        parameters.max_image_pixels,
    )
    if is_camera(parameters.source):
        return CameraDevice(parameters.source, options)
    return open_images(Path(parameters.source), options)


class PlayerTopics:
    """The publishers; everything of one frame carries the same header."""

    def __init__(self, node: Node, parameters: PlayerParameters) -> None:
        self._parameters = parameters
        image_qos = QoSProfile(depth=5, reliability=ReliabilityPolicy[parameters.reliability.upper()])
        self._image = node.create_publisher(Image, 'image', image_qos)
        self._camera_info = node.create_publisher(CameraInfo, 'camera_info', RELIABLE)
        self._compressed = (
            node.create_publisher(CompressedImage, 'image/compressed', RELIABLE) if parameters.compressed else None
        )

    def missing_subscriptions(self) -> str:
        """What the parameters wait for that has not subscribed yet; empty when everybody is there.

        A subscription to image/compressed counts as well as one to image, but the recorder's does not count twice.
        """
        recorder = self._parameters.wait_for_recorder
        wanted, raw = self._parameters.wait_for_subscribers, self._image.get_subscription_count()
        compressed = 0 if self._compressed is None else self._compressed.get_subscription_count()
        names = [self._image.topic_name] + ([self._compressed.topic_name] if self._compressed is not None else [])
        missing = []
        viewers = raw + max(compressed - int(recorder), 0)
        if viewers < wanted:
            missing.append(f'subscriptions to {" or ".join(names)} ({viewers} of {wanted})')
        if recorder and not compressed:
            missing.append('the recorder of image/compressed')
        return ' and '.join(missing)

    def publish(self, frame: SourceFrame, header: Header) -> None:
        """Send one frame; the image comes last, so that what belongs to it is there before it."""
        if frame.intrinsics is not None:
            self._camera_info.publish(messages_scene.camera_info(header, frame.intrinsics))
        self.publish_truth(frame, header)
        if self._compressed is not None and self._compressed.get_subscription_count() > 0:
            self._compressed.publish(player_messages.jpeg_image(header, frame.image, self._parameters.jpeg_quality))
        self._image.publish(player_messages.rgb_image(header, frame.image))

    def publish_truth(self, frame: SourceFrame, header: Header) -> None:
        """What is known of a frame beside its image: of real images nothing."""

    def wait_until_delivered(self) -> None:
        """Give reliable subscriptions the time to get the last frame."""
        self._image.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_SECONDS))


class CameraPlayer(GuardedCallbacks, Node):
    """Plays a source as a camera.

    Publishes image, image/compressed and camera_info, all of one frame with the same stamp; at the end ~/finished
    (number of images, transient local). Parameters: :class:`PlayerParameters`.
    """

    def __init__(self, name: str = 'camera_player') -> None:
        super().__init__(name)
        self.parameters = self.declare()
        self.done: Future = Future()
        self._source: FrameSource = self.open_source()
        self._read_ahead = ReadAhead(
            self._source.frames, self.parameters.read_ahead, self.parameters.loop, self._source.is_live
        )
        self._topics = self.create_topics()
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._finished = self.create_publisher(UInt32, '~/finished', latched)
        self._rate = self._source.fps
        self._played, self._late = 0, 0
        self._began_waiting: float | None = None
        self._began_delay: float | None = None
        self._source_problem: Exception | None = None
        self._timer = self.create_timer(POLL_SECONDS, self._wait)
        self.get_logger().info(f'camera player: {self._source.description}')

    def declare(self) -> PlayerParameters:
        """The values of the node's parameters."""
        return declare_parameters(self, PlayerParameters)

    def open_source(self) -> FrameSource:
        """The source of the images."""
        return open_file(self.parameters)

    def create_topics(self) -> PlayerTopics:
        """The publishers."""
        return PlayerTopics(self, self.parameters)

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
                self.get_logger().warning(f'waited {waited:.0f} s (wait_timeout): playing anyway')
            missing = self._topics.missing_subscriptions()
            if not self._read_ahead.is_full:
                missing = ' and '.join(['more images', *([missing] if missing else [])])
            if missing and not timed_out:
                self.get_logger().info(
                    f'{self._read_ahead.ready} images prepared, waiting for {missing}',
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
            if self._source.is_live:  # it gives frames when it has them
                return
            self._late += 1
            self.get_logger().warning(
                f'images are prepared too slowly for {self._rate:g} Hz ({self._late} late)',
                throttle_duration_sec=LOG_SECONDS,
            )
            return
        taken = self.get_clock().now()
        if frame.age is not None:
            taken -= Duration(seconds=frame.age())
        self._topics.publish(frame, messages.header(taken.to_msg(), self.parameters.frame_id))
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
