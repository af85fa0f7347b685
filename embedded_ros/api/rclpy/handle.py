"""InvalidHandle under its public name."""

from rclpy._rclpy_pybind11 import InvalidHandle

__all__ = ['InvalidHandle']
