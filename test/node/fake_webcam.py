"""The camera player with a video in the place of a camera of this machine: everything else is as with a real one."""

from __future__ import annotations

import sys

import cv2

from hand3r_ros.node.camera_device import CameraDevice
from hand3r_ros.node.camera_player import CameraPlayer
from hand3r_ros.node.frame_sources import FrameSource, RealImages
from hand3r_ros.node.running import run_node


class FakeWebcam(CameraPlayer):
    """Plays the first 5 images of the video that its parameter ``source`` names, as a live camera."""

    def open_source(self) -> FrameSource:
        return CameraDevice(self.parameters.source, RealImages(frames=5, fps=20.0), cv2.VideoCapture)


if __name__ == '__main__':
    sys.exit(run_node('camera_player', FakeWebcam, None))
