"""The lifecycle node `hand3r`: wires parameters, subscriptions, worker, reconstruction, publishers and services.

configure loads weights and makes publishers and services; activate begins to take images; cleanup frees everything.
"""

from __future__ import annotations

import sys
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future

from hand3r_ros.geometry import Array
from hand3r_ros.hand_model.data import HandModelFileError
from hand3r_ros.network.checkpoints import WeightsError
from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.calibration import LatestCalibration
from hand3r_ros.node.callbacks import GuardedCallbacks, guarded_transition
from hand3r_ros.node.configuration import reconstructor_config
from hand3r_ros.node.depth_input import DepthInput
from hand3r_ros.node.detections import DetectionBuffer
from hand3r_ros.node.diagnostics import Diagnostics, NodeHealth
from hand3r_ros.node.frame_processor import FrameProcessor
from hand3r_ros.node.inputs import Inputs
from hand3r_ros.node.mailbox import Mailbox
from hand3r_ros.node.outputs import Outputs
from hand3r_ros.node.parameter_server import ParameterServer
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.node.qos import QosOverrideError
from hand3r_ros.node.running import run_node
from hand3r_ros.node.services import Services
from hand3r_ros.node.state_saving import first_state
from hand3r_ros.node.subscriptions import DEPTH_INFO_TOPIC, DEPTH_TOPICS, IMAGE_TOPICS, Subscriptions
from hand3r_ros.node.tf_tree import Parents
from hand3r_ros.node.transforms import ParentListener, TransformLookup, TransformsOnDemand
from hand3r_ros.node.worker import Worker
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.factory import build_reconstructor, load_hand_model

STATUS_PERIOD = 1.0  # s
EXPECTED_ERRORS = (WeightsError, HandModelFileError, DetectorUnavailableError, ValueError, OSError)
"""Errors of configure that are reported in one line; anything else is a defect and gets its traceback."""


@dataclass(frozen=True)
class _Configured:
    """What lives from configure to cleanup."""

    inputs: Inputs
    outputs: Outputs
    processor: FrameProcessor
    services: Services

    def close(self) -> None:
        with ExitStack() as each:  # also when one of them fails
            each.callback(self.inputs.transforms.close)
            if self.inputs.parents is not None:
                each.callback(self.inputs.parents.close)
            each.callback(self.outputs.close)
            each.callback(self.services.close)


@dataclass(frozen=True)
class _Running:
    """What lives from activate to deactivate."""

    subscriptions: Subscriptions
    worker: Worker[Any]

    def close(self) -> None:
        """Subscriptions first, so that nothing new comes; then the worker, before its publishers go."""
        try:
            self.subscriptions.close()
        finally:
            self.worker.stop()


class Hand3RNode(GuardedCallbacks, LifecycleNode):
    """One RGB camera topic in; camera pose, scene and hand meshes out.

    Subscribes: image (or image/compressed), camera_info, detections, depth (or depth/compressedDepth),
    depth/camera_info, and /tf for the tree that the pose is added to.
    Publishes: TF, ~/hands, ~/hands/<side>/wrist_pose, ~/points, ~/map, ~/camera_pose, ~/markers, ~/hand_topology,
    ~/depth/image, ~/depth/camera_info, ~/status, /diagnostics.
    Services: ~/reset, ~/enable, ~/save_map, ~/save_state, ~/load_state. Parameters: ``parameters.py``.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('hand3r', **options)
        self.done: Future = Future()  # never: it runs until it is ended
        self._configured: _Configured | None = None
        self._running: _Running | None = None
        self._lifecycle_label = 'unconfigured'
        self._configure_problem = ''
        self._is_enabled = True  # what ~/enable asked for
        self._accounting = Accounting(self.get_logger().warning)
        self._parameter_server = ParameterServer(self, lambda: self._configured is None, self._apply_parameters)
        self._reporter = Diagnostics(self, self._accounting, self.callback_failures, self._health)
        self._status_timer = self.create_timer(
            STATUS_PERIOD, self._publish_status, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        if self._parameters_now().autostart:
            self._autostart_timer = self.create_timer(
                0.0, self._autostart, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )

    @guarded_transition
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the weights and make publishers and services; FAILURE says why in one line."""
        self._configure_problem = '; '.join(self._parameter_server.problems)
        if not self._configure_problem:
            try:
                self._configure(self._parameters_now())
            except EXPECTED_ERRORS as error:
                self._configure_problem = str(error)
            except Exception as error:
                self._configure_problem = self.note_failure('configure', error)
        if self._configure_problem:
            if self.context.ok():  # else the process is ending, and what configure uses is gone
                self.get_logger().error(f'cannot configure: {self._configure_problem}')
            self._free()
            return TransitionCallbackReturn.FAILURE
        self._lifecycle_label = 'inactive'
        return super().on_configure(state)

    @guarded_transition
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to take images; FAILURE says why in one line."""
        result = super().on_activate(state)
        assert self._configured is not None  # the state machine allows activate only after configure
        try:
            self._start(self._configured)
        except QosOverrideError as error:
            self.get_logger().error(f'cannot activate: {error}')
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        self._lifecycle_label = 'active'
        self.get_logger().info(f'active, waiting for images on {self._image_topic()}')
        return result

    @guarded_transition
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take no more images; the reconstruction keeps its state."""
        self._stop()
        self._lifecycle_label = 'inactive'
        return super().on_deactivate(state)

    @guarded_transition
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network and everything made by configure."""
        self._free()
        return super().on_cleanup(state)

    @guarded_transition
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Releases all resources."""
        self._free()
        return super().on_shutdown(state)

    @guarded_transition
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node can be configured again."""
        self._free()
        return super().on_error(state)

    def finish(self) -> int:
        """There is nothing to sum up."""
        return 0

    def close(self) -> None:
        """Stop the worker and free everything, whatever the state; for the end of the process."""
        self._free()

    def _configure(self, parameters: NodeParameters) -> None:
        self._accounting.clear()
        self._is_enabled = True
        config = reconstructor_config(parameters)
        reconstructor, hand_model = build_reconstructor(config), load_hand_model(config)
        if not self.context.ok():
            raise RuntimeError('the process is ending')
        if parameters.warmup:
            reconstructor.warm_up()
        if (state_file := first_state(parameters)) is not None:
            reconstructor.load_state(state_file)
            self.get_logger().info(f'resumed the session in {state_file}')
        outputs = Outputs(self, hand_model, self._lookup_base, self._tf_parents)
        inputs = self._make_inputs(parameters)
        processor = FrameProcessor(
            reconstructor,
            inputs,
            outputs,
            self._accounting,
            self._parameters_now,
            self.get_clock(),
            self.get_logger().info,
        )
        services = Services(self, processor, self._parameters_now, self._enable)
        self._configured = _Configured(inputs, outputs, processor, services)
        self.get_logger().info(
            f"configured: preset '{config.preset}', device '{config.device}', hand model '{hand_model.id}', "
            f"camera pose '{reconstructor.pose_source}'"
        )

    def _make_depth_input(self, parameters: NodeParameters, transforms: TransformsOnDemand) -> DepthInput:
        topic, info = self.resolve_topic_name(DEPTH_TOPICS[parameters.depth_transport]), DEPTH_INFO_TOPIC
        return DepthInput(
            topic, self.resolve_topic_name(info), self._accounting, transforms.listen, parameters.max_image_pixels
        )

    def _make_inputs(self, parameters: NodeParameters) -> Inputs:
        needs_tf = parameters.pose_source == 'tf' or bool(parameters.base_frame)
        transforms = TransformsOnDemand(lambda: TransformLookup(self), at_once=needs_tf)
        return Inputs(
            image_topic=self._image_topic(),
            calibration_topic=self.resolve_topic_name('camera_info'),
            detections_topic=self.resolve_topic_name('detections'),
            calibration=LatestCalibration(),
            detections=DetectionBuffer(),
            depth=None if parameters.use_depth == 'off' else self._make_depth_input(parameters, transforms),
            transforms=transforms,
            parents=ParentListener(self) if parameters.publish_tf and parameters.pose_source != 'tf' else None,
            publisher_count=self.count_publishers,
        )

    def _start(self, configured: _Configured) -> None:
        mailbox: Mailbox[Any] = Mailbox(discarded=lambda: self._accounting.count('dropped'))
        subscriptions = Subscriptions(self, self._parameters_now(), self._accounting, mailbox, configured.inputs)
        subscriptions.enable(self._is_enabled)
        configured.outputs.publish_topology()
        processor = configured.processor
        worker = Worker(mailbox, processor.process, self._on_worker_error, processor.publish_map_if_due)
        worker.start()
        self._running = _Running(subscriptions, worker)

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def _free(self) -> None:
        self._stop()
        configured, self._configured = self._configured, None
        if configured is not None:
            configured.close()
        self._lifecycle_label = 'unconfigured'

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if self._lifecycle_label == 'unconfigured' and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _apply_parameters(self, parameters: NodeParameters) -> None:
        """Pass on what the reconstruction takes; the rest is read with each frame."""
        if self._configured is not None:
            self._configured.processor.reconfigure(reconstructor_config(parameters))

    def _enable(self, enabled: bool) -> None:
        self._is_enabled = enabled
        if self._running is not None:
            self._running.subscriptions.enable(enabled)

    def _publish_status(self) -> None:
        if self._running is not None and self._configured is not None:
            self._configured.outputs.publish_status(self._configured.processor.status())

    def _on_worker_error(self, error: Exception) -> None:
        if not self.context.ok():
            return  # the process is ending: publishers went away under the worker
        topic, cause = self._image_topic(), type(error).__name__
        self._accounting.reject(topic, cause, f'an image was skipped because of a defect: {cause}: {error}')
        self._accounting.warn(topic, f'{cause} traceback', ''.join(traceback.format_exception(error)))

    def _lookup_base(self, camera_frame: str, base_frame: str) -> Array:
        if self._configured is None:
            raise LookupError('not listening to TF')
        return self._configured.inputs.transforms.lookup(
            camera_frame, base_frame, None, self._parameters_now().tf_timeout
        )

    def _tf_parents(self) -> Parents:
        listener = None if self._configured is None else self._configured.inputs.parents
        return {} if listener is None else listener.seen.parents()

    def _parameters_now(self) -> NodeParameters:
        return self._parameter_server.snapshot

    def _image_topic(self) -> str:
        return str(self.resolve_topic_name(IMAGE_TOPICS[self._parameters_now().image_transport]))

    def _health(self) -> NodeHealth:
        report = None if self._configured is None else self._configured.processor.report
        return NodeHealth(
            self._lifecycle_label, self._configure_problem, self._image_topic(), report, is_paused=not self._is_enabled
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run_node('hand3r', Hand3RNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
