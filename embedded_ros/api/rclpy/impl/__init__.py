"""Names that users import from ROS 2's implementation package."""
