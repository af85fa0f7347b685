"""Actions for ROS nodes."""

from launch.absent import absent

from .node import Node

__all__ = ['Node']

__getattr__ = absent(
    __name__,
    'ComposableNodeContainer LifecycleNode LifecycleTransition LoadComposableNodes PushRosNamespace ROSTimer RosTimer '
    'SetParameter SetParametersFromFile SetROSLogDir SetRemap SetUseSimTime',
)
