"""Images as cameras and files bring them: bounded in size, decoded, brought to 8 bits. No ROS."""
