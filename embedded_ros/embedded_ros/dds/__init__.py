"""The DDS side: participant, raw CDR in and out, and the ROS graph, with rmw_cyclonedds' conventions on the wire."""
