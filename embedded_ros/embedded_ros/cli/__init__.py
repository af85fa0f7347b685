"""The command ``ros2``: launch, run, topic, param, service, lifecycle and bag.

Options and output have the shape of the ROS 2 command line; each verb lies in the module of its command.
"""
