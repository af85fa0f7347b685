"""Sends back what it gets: topics in -> out for several types; logs; ends on a signal."""

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import String


class Echo(Node):
    def __init__(self):
        super().__init__('echo')
        self.image_publisher = self.create_publisher(Image, 'image_out', 10)
        self.create_subscription(Image, 'image_in', self.image_publisher.publish, 10)
        self.text_publisher = self.create_publisher(String, '~/text_out', 10)
        self.create_subscription(String, '~/text_in', self.on_text, 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.latched_publisher = self.create_publisher(String, 'latched', latched)
        self.latched_publisher.publish(String(data='kept'))

    def on_text(self, message):
        self.get_logger().info(f'text: {message.data}')
        self.text_publisher.publish(message)


def main():
    rclpy.init()
    node = Echo()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        print('ended by KeyboardInterrupt')
    except ExternalShutdownException:
        print('ended by ExternalShutdownException')
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
