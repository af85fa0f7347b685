"""What a launch can do."""

from ..absent import absent
from ..launch_description import Action
from .configuration import (
    DeclareLaunchArgument,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    UnsetEnvironmentVariable,
    UnsetLaunchConfiguration,
)
from .event import EmitEvent, RegisterEventHandler, Shutdown, TimerAction, UnregisterEventHandler
from .execute_process import ExecuteProcess
from .structure import GroupAction, IncludeLaunchDescription, LogInfo, OpaqueFunction

__all__ = [
    'Action',
    'DeclareLaunchArgument',
    'EmitEvent',
    'ExecuteProcess',
    'GroupAction',
    'IncludeLaunchDescription',
    'LogInfo',
    'OpaqueFunction',
    'RegisterEventHandler',
    'SetEnvironmentVariable',
    'SetLaunchConfiguration',
    'Shutdown',
    'TimerAction',
    'UnregisterEventHandler',
    'UnsetEnvironmentVariable',
    'UnsetLaunchConfiguration',
]

__getattr__ = absent(
    __name__,
    'AppendEnvironmentVariable ExecuteLocal ForEach ForLoop Log LogDebug LogError LogWarning OpaqueCoroutine '
    'PopEnvironment PopLaunchConfigurations PushEnvironment PushLaunchConfigurations ReplaceEnvironmentVariables '
    'ResetEnvironment ResetLaunchConfigurations SetROSLogDir',
)
