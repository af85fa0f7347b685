"""The six services by which other nodes list, read, describe and set parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import ParameterDescriptor, ParameterValue, SetParametersResult
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.parameter import PARAMETER_SEPARATOR_STRING, Parameter
from rclpy.qos import qos_profile_parameters

if TYPE_CHECKING:
    from rclpy.node import Node


class ParameterService:
    """Creates and answers the services `~/get_parameters`, `~/set_parameters`, ..."""

    def __init__(self, node: Node):
        self._node = node
        group = ReentrantCallbackGroup()
        services = {
            'get_parameters': (GetParameters, self._get),
            'get_parameter_types': (GetParameterTypes, self._types),
            'describe_parameters': (DescribeParameters, self._describe),
            'list_parameters': (ListParameters, self._list),
            'set_parameters': (SetParameters, self._set),
            'set_parameters_atomically': (SetParametersAtomically, self._set_atomically),
        }
        for name, (service_type, callback) in services.items():
            node.create_service(
                service_type, f'~/{name}', callback, qos_profile=qos_profile_parameters, callback_group=group
            )

    def _get(self, request: Any, response: Any) -> Any:
        parameters = self._node._parameters
        if all(name in parameters for name in request.names):
            response.values = [parameters[name].get_parameter_value() for name in request.names]
        elif self._node._allow_undeclared_parameters:
            known = [parameters.get(name) for name in request.names]
            response.values = [ParameterValue() if p is None else p.get_parameter_value() for p in known]
        return response  # as in ROS 2: one undeclared name, and the answer is empty

    def _types(self, request: Any, response: Any) -> Any:
        parameters = self._node._parameters
        response.types = [int(parameters[name].type_) if name in parameters else 0 for name in request.names]
        return response

    def _describe(self, request: Any, response: Any) -> Any:
        descriptors = self._node._descriptors
        response.descriptors = [descriptors.get(name) or ParameterDescriptor(name=name) for name in request.names]
        return response

    def _list(self, request: Any, response: Any) -> Any:
        separator = PARAMETER_SEPARATOR_STRING

        def wanted(name: str) -> bool:
            if not request.prefixes:
                return not request.depth or name.count(separator) < request.depth
            for prefix in request.prefixes:
                if name == prefix:
                    return True
                below = name.removeprefix(prefix + separator)
                if below != name and (not request.depth or below.count(separator) < request.depth):
                    return True
            return False

        names = sorted(name for name in self._node._parameters if wanted(name))
        response.result.names = names
        response.result.prefixes = sorted({name.rpartition(separator)[0] for name in names if separator in name})
        return response

    def _set(self, request: Any, response: Any) -> Any:
        response.results = [self._try_set([message]) for message in request.parameters]
        return response

    def _set_atomically(self, request: Any, response: Any) -> Any:
        response.result = self._try_set(request.parameters)
        return response

    def _try_set(self, messages: list[Any]) -> SetParametersResult:
        try:
            parameters = [Parameter.from_parameter_msg(message) for message in messages]
            return self._node.set_parameters_atomically(parameters)
        except Exception as error:  # whatever another process sends must not end this one
            return SetParametersResult(successful=False, reason=f'{type(error).__name__}: {error}')
