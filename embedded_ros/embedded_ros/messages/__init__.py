"""Message classes with the behaviour of ROS 2's generated Python classes, made from message definitions."""
