"""`validate_namespace` under its public module name."""

from rclpy._names import validate_namespace

__all__ = ['validate_namespace']
