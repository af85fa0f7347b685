"""Lifecycle (managed) nodes."""

from rclpy.lifecycle._state_machine import LifecycleState, TransitionCallbackReturn
from rclpy.lifecycle.managed_entity import LifecyclePublisher, ManagedEntity, SimpleManagedEntity
from rclpy.lifecycle.node import LifecycleNode, LifecycleNodeMixin

Node = LifecycleNode
NodeMixin = LifecycleNodeMixin
Publisher = LifecyclePublisher
State = LifecycleState

__all__ = [
    'LifecycleNode',
    'LifecycleNodeMixin',
    'LifecyclePublisher',
    'LifecycleState',
    'ManagedEntity',
    'Node',
    'NodeMixin',
    'Publisher',
    'SimpleManagedEntity',
    'State',
    'TransitionCallbackReturn',
]
