"""Hand3R for ROS 2: camera pose, metric scene and two-hand meshes from one RGB camera, online."""

__version__ = '0.1.0'
