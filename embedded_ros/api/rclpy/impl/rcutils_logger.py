"""The logger class under its internal name."""

from rclpy.logging import RcutilsLogger

__all__ = ['RcutilsLogger']
