"""Chains of message filters: caching, and joining topics by their stamps. Part of embedded_ros, not of ROS 2."""

from message_filters.filters import Cache, SimpleFilter, Subscriber
from message_filters.synchronizers import ApproximateTimeSynchronizer, TimeSynchronizer

__all__ = ['ApproximateTimeSynchronizer', 'Cache', 'SimpleFilter', 'Subscriber', 'TimeSynchronizer']
