"""Actions for ROS nodes."""

from launch.absent import absent

from .lifecycle_node import LifecycleNode
from .node import Node
from .settings import PushRosNamespace, SetParameter, SetParametersFromFile, SetRemap, SetUseSimTime

__all__ = [
    'LifecycleNode',
    'Node',
    'PushRosNamespace',
    'SetParameter',
    'SetParametersFromFile',
    'SetRemap',
    'SetUseSimTime',
]

__getattr__ = absent(
    __name__,
    'ComposableNodeContainer LifecycleTransition LoadComposableNodes ROSTimer RosTimer SetROSLogDir',
)
