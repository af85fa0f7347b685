"""``hand3r run``: the online reconstruction on recorded images, results into an MCAP file. Imports no rclpy."""
