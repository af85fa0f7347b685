"""One camera frame in, one result out: owns the recurrent state, the tracks and the map; knows nothing of ROS."""
