"""Publishes the health of a node on /diagnostics. Part of embedded_ros, not of ROS 2."""

from diagnostic_updater._diagnostic_status_wrapper import DiagnosticStatusWrapper
from diagnostic_updater._publisher import DiagnosedPublisher, HeaderlessTopicDiagnostic, TopicDiagnostic
from diagnostic_updater._tasks import (
    CompositeDiagnosticTask,
    DiagnosticTask,
    FunctionDiagnosticTask,
    GenericFunctionDiagnosticTask,
)
from diagnostic_updater._update_functions import (
    FrequencyStatus,
    FrequencyStatusParam,
    Heartbeat,
    TimeStampStatus,
    TimeStampStatusParam,
)
from diagnostic_updater._updater import Updater

__all__ = [
    'CompositeDiagnosticTask',
    'DiagnosedPublisher',
    'DiagnosticStatusWrapper',
    'DiagnosticTask',
    'FrequencyStatus',
    'FrequencyStatusParam',
    'FunctionDiagnosticTask',
    'GenericFunctionDiagnosticTask',
    'HeaderlessTopicDiagnostic',
    'Heartbeat',
    'TimeStampStatus',
    'TimeStampStatusParam',
    'TopicDiagnostic',
    'Updater',
]
