"""Node that plays a rendered hand-object scene as a camera, with its ground truth."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from hand3r_lab.demo import truth_messages
from hand3r_lab.demo.rendered_source import RenderedSource
from hand3r_lab.scenes.sequence import SceneConfig
from hand3r_msgs.msg import HandMeshArray
from hand3r_ros.hand_model.data import OPEN_HAND
from hand3r_ros.node import messages, messages_hands
from hand3r_ros.node.camera_player import RELIABLE, CameraPlayer, PlayerTopics
from hand3r_ros.node.declaring import declare_parameters
from hand3r_ros.node.frame_sources import FrameSource, SourceError, SourceFrame
from hand3r_ros.node.parameter_fields import Changes, ParameterError, parameter
from hand3r_ros.node.player_parameters import PlayerParameters
from hand3r_ros.node.running import run_node

START = Changes.NEVER
DEFAULT_FRAMES = 100


@dataclass(frozen=True)
class RenderedCameraParameters(PlayerParameters):
    """Which scene is rendered, and what of its ground truth is published."""

    seed: int = parameter(
        200_000_007, 'Seed of the rendered scene; 200000000 and more were not used in training', START, minimum=0,
        maximum=299_999_999,
    )  # fmt: skip
    width: int = parameter(640, 'Width of rendered images, px', START, minimum=16, maximum=8192)
    height: int = parameter(480, 'Height of rendered images, px', START, minimum=16, maximum=8192)
    camera: str = parameter(
        'mixed', 'View of the rendered scene', START, choices=('egocentric', 'third_person', 'mixed')
    )
    hands: str = parameter(
        'both', 'Hands of the rendered scene', START, choices=('none', 'left', 'right', 'both', 'mixed')
    )

    detections: bool = parameter(True, 'Publish the ground-truth hand boxes', START)
    ground_truth: bool = parameter(True, 'Publish ground_truth/*', START)
    min_visible: float = parameter(
        0.25, 'Minimum visible fraction of a hand to publish its box', START, minimum=0.0, maximum=1.0
    )


class TruthTopics(PlayerTopics):
    """The camera's topics, detections and ground truth."""

    def __init__(self, node: Node, parameters: RenderedCameraParameters) -> None:
        super().__init__(node, parameters)
        self._min_visible = parameters.min_visible
        self._detections = (
            node.create_publisher(Detection2DArray, 'detections', RELIABLE) if parameters.detections else None
        )
        self._has_truth = parameters.ground_truth
        if parameters.ground_truth:
            self._true_hands = node.create_publisher(HandMeshArray, 'ground_truth/hands', RELIABLE)
            self._true_pose = node.create_publisher(PoseStamped, 'ground_truth/camera_pose', RELIABLE)
            self._true_depth = node.create_publisher(Image, 'ground_truth/depth', RELIABLE)

    def publish_truth(self, frame: SourceFrame, header: Header) -> None:
        """Boxes and ground truth of a rendered frame."""
        truth = frame.truth
        if truth is None:
            return
        if self._detections is not None:
            self._detections.publish(truth_messages.detections(header, truth, self._min_visible))
        if not self._has_truth:
            return
        self._true_hands.publish(messages_hands.hand_mesh_array(header, truth.hands, OPEN_HAND, in_world=False))
        scene = messages.header(header.stamp, truth_messages.SCENE_FRAME)
        self._true_pose.publish(messages.pose_stamped(scene, truth.T_world_camera))
        if self._true_depth.get_subscription_count() > 0:
            self._true_depth.publish(truth_messages.depth_image(header, truth.depth))


class RenderedCamera(CameraPlayer):
    """Plays a rendered scene as a camera.

    Publishes what the camera player publishes, and detections, ground_truth/hands, ground_truth/camera_pose,
    ground_truth/depth, all of one frame with the same stamp. Parameters: :class:`RenderedCameraParameters`.
    """

    parameters: RenderedCameraParameters

    def __init__(self) -> None:
        super().__init__('rendered_camera')

    def declare(self) -> RenderedCameraParameters:
        """The values of the node's parameters."""
        return declare_parameters(self, RenderedCameraParameters)

    def open_source(self) -> FrameSource:
        """The rendered scene."""
        parameters = self.parameters
        if parameters.source:
            raise SourceError(
                f"source is '{parameters.source}', but this camera renders: play files with camera_player"
            )
        scene = SceneConfig(
            width=parameters.width,
            height=parameters.height,
            frames=parameters.frames or DEFAULT_FRAMES,
            fps=parameters.fps or 5.0,
            camera=parameters.camera,
            hands=parameters.hands,
        )
        return RenderedSource(parameters.seed, scene)

    def create_topics(self) -> TruthTopics:
        """The publishers."""
        return TruthTopics(self, self.parameters)


def main(arguments: list[str] | None = None) -> int:
    """Run the node; the exit code is 2 when the parameters are unusable."""
    return run_node('rendered_camera', RenderedCamera, arguments, (ParameterError, SourceError))


if __name__ == '__main__':
    sys.exit(main())
