"""A lifecycle node with parameters and a service."""

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from std_msgs.msg import String
from std_srvs.srv import SetBool


class Managed(LifecycleNode):
    def __init__(self):
        super().__init__('managed')
        speed = [FloatingPointRange(from_value=0.0, to_value=2.0, step=0.5)]
        self.declare_parameter('speed', 1.0, ParameterDescriptor(description='m/s', floating_point_range=speed))
        count = [IntegerRange(from_value=1, to_value=5, step=1)]
        self.declare_parameter('limits.count', 3, ParameterDescriptor(integer_range=count))
        self.declare_parameter('device', 'cpu', ParameterDescriptor(read_only=True))
        self.declare_parameter('fail', '')
        self.add_on_set_parameters_callback(self.check)
        self.create_service(SetBool, '~/enable', self.enable)
        self.publisher = None

    def check(self, parameters):
        refused = [p.name for p in parameters if p.value == 'refuse']
        return SetParametersResult(successful=not refused, reason=f'refused {refused}' if refused else '')

    def enable(self, request, response):
        response.success, response.message = True, f'enabled: {request.data}'
        return response

    def on_configure(self, state):
        fail = self.get_parameter('fail').value
        if fail == 'raise':
            raise RuntimeError('broken on purpose')
        if fail:
            return getattr(TransitionCallbackReturn, fail.upper())
        self.publisher = self.create_lifecycle_publisher(String, '~/state', 10)
        self.create_timer(0.05, lambda: self.publisher.publish(String(data='alive')))
        return super().on_configure(state)


def main():
    rclpy.init()
    node = Managed()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
