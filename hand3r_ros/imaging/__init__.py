"""Images from cameras and files: bounded in size, decoded, converted to 8 bits. No ROS."""
