"""`validate_node_name` under its public module name."""

from rclpy._names import validate_node_name

__all__ = ['validate_node_name']
