"""``ros2 param``: get, set and describe."""

from __future__ import annotations

from typing import Any

from .errors import CommandError
from .message_text import parse_values
from .session import Session, ros_session

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
