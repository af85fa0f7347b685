"""QoS events under the module name of ROS 2 Humble."""

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks

__all__ = ['PublisherEventCallbacks', 'SubscriptionEventCallbacks']
