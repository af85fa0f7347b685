"""Actions are not part of the subset."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith('__'):
        raise AttributeError(name)
    raise NotImplementedError(f'embedded_ros: rclpy.action.{name}')
