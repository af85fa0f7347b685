"""A pip-only, wire-compatible subset of the ROS 2 Python API (Eclipse Cyclone DDS + rosbags). It is not ROS 2.

`install()` makes `import rclpy`, `import sensor_msgs.msg`, ... work where no ROS 2 is installed. Where a real `rclpy`
can be imported the subset does nothing.
"""

from embedded_ros.finder import API_FOLDER, install, real_ros_is_importable

__all__ = ['API_FOLDER', 'install', 'real_ros_is_importable']
__version__ = '0.1.0'
