"""LoggingSeverity under its internal name."""

from rclpy.logging import LoggingSeverity

__all__ = ['LoggingSeverity']
