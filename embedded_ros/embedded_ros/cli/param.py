"""``ros2 param``: list, get, set, describe and dump."""

from __future__ import annotations

from typing import Any

import yaml

from .errors import CommandError
from .message_text import parse_values
from .session import Session, absolute, add_spin_time, ros_session

TYPE_NAMES = {
    'NOT_SET': 'not set',
    'BOOL': 'boolean',
    'INTEGER': 'integer',
    'DOUBLE': 'double',
    'STRING': 'string',
    'BYTE_ARRAY': 'byte array',
    'BOOL_ARRAY': 'boolean array',
    'INTEGER_ARRAY': 'integer array',
    'DOUBLE_ARRAY': 'double array',
    'STRING_ARRAY': 'string array',
}
VALUE_LABELS = {name: words.replace(' array', ' values are').capitalize() for name, words in TYPE_NAMES.items()}


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('param', help='Various param related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='Output a list of available parameters')
    verb.add_argument('node_name', nargs='?', help='node to ask; all nodes where it is not given')
    verb.add_argument('--include-hidden-nodes', action='store_true')
    verb.add_argument('--param-prefixes', nargs='+', default=[], help='only list parameters with these prefixes')
    add_spin_time(verb)
    verb.set_defaults(run=run_list)
    verb = verbs.add_parser('get', help='Get a parameter')
    verb.add_argument('node_name')
    verb.add_argument('parameter_name')
    verb.add_argument('--hide-type', action='store_true', help='show the value only')
    verb.set_defaults(run=run_get)
    verb = verbs.add_parser('set', help='Set a parameter')
    verb.add_argument('node_name')
    verb.add_argument('parameter_name')
    verb.add_argument('value')
    verb.set_defaults(run=run_set)
    verb = verbs.add_parser('describe', help='Show descriptive information about declared parameters')
    verb.add_argument('node_name')
    verb.add_argument('parameter_names', nargs='+')
    verb.set_defaults(run=run_describe)
    verb = verbs.add_parser('dump', help='Show all parameters of a node as a YAML file')
    verb.add_argument('node_name')
    verb.set_defaults(run=run_dump)


def _names(session: Session, node: str, prefixes: list[str] | None = None) -> list[str]:
    from rcl_interfaces.srv import ListParameters

    request = ListParameters.Request(prefixes=prefixes or [])
    return sorted(session.call(ListParameters, f'{node}/list_parameters', request).result.names)


def _values(session: Session, node: str, names: list[str]) -> list[Any]:
    """Return rclpy Parameters, in the order of `names`."""
    from rcl_interfaces.msg import Parameter as ParameterMessage
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import Parameter

    values = session.call(GetParameters, f'{node}/get_parameters', GetParameters.Request(names=names)).values
    messages = [ParameterMessage(name=name, value=value) for name, value in zip(names, values, strict=False)]
    return [Parameter.from_parameter_msg(message) for message in messages]


def _shown(value: Any) -> Any:
    return list(value) if hasattr(value, 'typecode') or isinstance(value, tuple) else value


def run_list(options: Any) -> int:
    """Print the names of the parameters of one node or of all."""
    with ros_session(0.0 if options.node_name else options.spin_time) as session:
        if options.node_name:
            node = session.require_node(options.node_name)
            print('\n'.join(f'  {name}' for name in _names(session, node, options.param_prefixes)))
            return 0
        services = {name for name, _ in session.node.get_service_names_and_types()}
        for node in session.node_names(hidden=options.include_hidden_nodes):
            if f'{node}/list_parameters' in services:
                print('\n'.join([f'{node}:', *(f'  {name}' for name in _names(session, node, options.param_prefixes))]))
    return 0


def run_get(options: Any) -> int:
    """Print the value of a parameter."""
    with ros_session() as session:
        node = session.require_node(options.node_name)
        parameter = next(iter(_values(session, node, [options.parameter_name])), None)
    if parameter is None or parameter.type_.name == 'NOT_SET':
        raise CommandError(f"parameter '{options.parameter_name}' of {node} is not set")
    value = _shown(parameter.value)
    label = VALUE_LABELS[parameter.type_.name]
    colon = f'{label}:' if label.endswith('are') else f'{label} value is:'
    print(value if options.hide_type else f'{colon} {value}')
    return 0


def run_set(options: Any) -> int:
    """Set a parameter."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    value = parse_values(options.value)
    try:
        parameter = Parameter(options.parameter_name, value='' if value is None else value)
    except TypeError:
        parameter = Parameter(options.parameter_name, value=options.value)
    with ros_session() as session:
        node = session.require_node(options.node_name)
        request = SetParameters.Request(parameters=[parameter.to_parameter_msg()])
        result = session.call(SetParameters, f'{node}/set_parameters', request).results[0]
    reason = f': {result.reason}' if result.reason else ''
    if not result.successful:
        raise CommandError(f'Setting parameter failed{reason}')
    print(f'Set parameter successful{reason}')
    return 0


def run_describe(options: Any) -> int:
    """Print type, description and limits of parameters."""
    from rcl_interfaces.srv import DescribeParameters
    from rclpy.parameter import Parameter

    with ros_session() as session:
        node = session.require_node(options.node_name)
        request = DescribeParameters.Request(names=options.parameter_names)
        descriptors = session.call(DescribeParameters, f'{node}/describe_parameters', request).descriptors
    for descriptor in descriptors:
        print(f'Parameter name: {descriptor.name}\n  Type: {TYPE_NAMES[Parameter.Type(descriptor.type).name]}')
        if descriptor.description:
            print(f'  Description: {descriptor.description}')
        print('\n'.join(['  Constraints:', *_constraints(descriptor)]))
    return 0


def _constraints(descriptor: Any) -> list[str]:
    lines = ['    Read only: true'] if descriptor.read_only else []
    for limits in [*descriptor.integer_range, *descriptor.floating_point_range]:
        lines += [f'    Min value: {limits.from_value}', f'    Max value: {limits.to_value}']
        lines += [f'    Step: {limits.step}'] if limits.step else []
    if descriptor.additional_constraints:
        lines.append(f'    Additional constraints: {descriptor.additional_constraints}')
    return lines


def run_dump(options: Any) -> int:
    """Print the parameters of a node as a parameter file."""
    with ros_session() as session:
        node = session.require_node(absolute(options.node_name))
        parameters = _values(session, node, _names(session, node))
    tree: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.type_.name == 'NOT_SET':
            continue
        *groups, leaf = parameter.name.split('.')
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[leaf] = _shown(parameter.value)
    print(yaml.safe_dump({node: {'ros__parameters': tree}}, default_flow_style=False), end='')
    return 0
