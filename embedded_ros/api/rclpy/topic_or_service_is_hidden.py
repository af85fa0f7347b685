"""`topic_or_service_is_hidden` under its public module name."""

from rclpy._names import topic_or_service_is_hidden

__all__ = ['topic_or_service_is_hidden']
