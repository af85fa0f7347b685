#!/bin/bash
# Runs the command with ROS 2 and hand3r_ros sourced.
set -e
# shellcheck disable=SC1090,SC1091
source "/opt/ros/$ROS_DISTRO/setup.bash"
# shellcheck disable=SC1091
source /opt/hand3r_ws/install/setup.bash
exec "$@"
