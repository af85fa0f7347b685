"""What a launch can do."""

from ..absent import absent
from ..launch_description import Action
from .configuration import (
    DeclareLaunchArgument,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
)
from .event import RegisterEventHandler, Shutdown
from .execute_process import ExecuteProcess
from .structure import IncludeLaunchDescription, LogInfo, OpaqueFunction

__all__ = [
    'Action',
    'DeclareLaunchArgument',
    'ExecuteProcess',
    'IncludeLaunchDescription',
    'LogInfo',
    'OpaqueFunction',
    'RegisterEventHandler',
    'SetEnvironmentVariable',
    'SetLaunchConfiguration',
    'Shutdown',
]

__getattr__ = absent(
    __name__,
    'AppendEnvironmentVariable EmitEvent ExecuteLocal ForEach ForLoop GroupAction Log LogDebug LogError LogWarning '
    'OpaqueCoroutine PopEnvironment PopLaunchConfigurations PushEnvironment PushLaunchConfigurations '
    'ReplaceEnvironmentVariables ResetEnvironment ResetLaunchConfigurations SetROSLogDir TimerAction '
    'UnregisterEventHandler UnsetEnvironmentVariable UnsetLaunchConfiguration',
)
