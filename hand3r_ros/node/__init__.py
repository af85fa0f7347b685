"""The ROS 2 face of the project: the only room that imports rclpy."""
