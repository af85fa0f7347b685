"""Images between ROS messages and numpy arrays as OpenCV uses them. Part of embedded_ros, not of ROS 2."""

from cv_bridge.core import CvBridge, CvBridgeError

__all__ = ['CvBridge', 'CvBridgeError']
