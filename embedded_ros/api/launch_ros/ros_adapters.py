"""The ROS node of a launch: made when the first lifecycle node needs it, spun in a thread, gone with the launch."""

from __future__ import annotations

import os
import threading
from typing import Any

from launch.event_handlers import OnShutdown
from launch.launch_context import LaunchContext

KEY = 'launch_ros.ros_adapter'


class RosAdapter:
    """A node and the thread that spins it."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self._context = rclpy.context.Context()
        rclpy.init(args=[], context=self._context)
        self.node = rclpy.create_node(f'launch_ros_{os.getpid()}', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._stopping.is_set():
            self._executor.spin_once(timeout_sec=0.2)

    def shut_down(self) -> None:
        """Stop spinning and destroy the node."""
        self._stopping.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()


def get_ros_node(context: LaunchContext) -> Any:
    """Return the node of this launch."""
    if KEY not in context.shared:
        adapter = RosAdapter()
        context.shared[KEY] = adapter

        def stop(event: Any, context: LaunchContext) -> None:
            adapter.shut_down()

        context.register_event_handler(OnShutdown(on_shutdown=stop))
    return context.shared[KEY].node
