"""The dual-stream Hand3R network: torch modules only, no files (except ``checkpoints``), no ROS."""
