"""The loop of a run: image by image, with checkpoints, resuming where an earlier process ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from tf2_msgs.msg import TFMessage

from hand3r_ros.node.topics import OUTPUT_TOPICS
from hand3r_ros.offline.checkpoint import RunMemory
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.frame_step import TF_TOPIC, FrameStepper, Step
from hand3r_ros.offline.inputs import InputImage
from hand3r_ros.offline.parts import PartWriter, disk_errors, join_parts, publish_result
from hand3r_ros.offline.settings import RunSettings
from hand3r_ros.offline.tally import Tally
from hand3r_ros.offline.work_folder import WorkFolder
from hand3r_ros.online.state_file import StateFileError

TF_DEPTH = 100
"""Depth of the queue of /tf, as tf2_ros has it."""

NOTHING_SELECTED = '--start and --end leave no image of the input'

Listener = Callable[[InputImage, Step | None, Tally], object]
"""Is told about every image after it was processed; the step is None for a skipped one."""


class OfflineRun:
    """One run from its first image, or its last checkpoint, to the finished file."""

    def __init__(
        self,
        settings: RunSettings,
        stepper: FrameStepper,
        work: WorkFolder,
        progress: dict[str, Any] | None,
    ) -> None:
        """Restores the last checkpoint if there is one.

        Args:
            settings: of the run.
            stepper: freshly built.
            work: opened.
            progress: what ``work.open`` gave.

        """
        self._settings, self._stepper, self._work = settings, stepper, work
        self._part: PartWriter | None = None
        self._part_path = work.path
        self._topology_written = bool(work.parts)
        self._memory = RunMemory() if progress is None else self._restored(progress)
        self.tally = self._memory.tally
        self.continued_at = self.tally.next_image

    def process(self, images: Iterator[InputImage], listener: Listener, stop_asked: Callable[[], bool]) -> bool:
        """All images that are left; False when it was stopped before the end, at a checkpoint.

        Raises:
            RunError: the disk is full, or the input cannot be read on. The last checkpoint stays.

        """
        with disk_errors(self._work.path):
            try:
                complete = self._process(images, listener, stop_asked)
                if complete and not self.tally.finished:
                    self._finish()
                elif self._part is not None:
                    self._checkpoint()
            finally:
                if self._part is not None:
                    self._part.abort()
        return complete

    def write_result(self) -> int:
        """Joins the parts into the file the user asked for; gives the number of messages."""
        out = self._settings.out
        with disk_errors(out):
            folder = self._work.path / 'result' / out.stem
            folder.parent.mkdir(exist_ok=True)
            count = join_parts(self._work.part_paths, folder)
            publish_result(folder, out)
            self._work.remove()
        return count

    def _restored(self, progress: dict[str, Any]) -> RunMemory:
        try:
            memory = RunMemory.from_json(progress)
            self._stepper.reconstructor.load_state(self._work.snapshot, after_a_pause=False)
        except (KeyError, TypeError, StateFileError) as error:
            raise RunError(f'{self._work.path} cannot be continued: {error}; start over with --overwrite') from error
        self._stepper.restore(memory)
        return memory

    def _process(self, images: Iterator[InputImage], listener: Listener, stop_asked: Callable[[], bool]) -> bool:
        checkpoint_at = time.monotonic() + self._settings.checkpoint_seconds
        for number, image in enumerate(images):
            if stop_asked():
                return False
            if number < self.continued_at:
                continue
            began = time.monotonic()
            step = self._write_step(number, image)
            self.tally.next_image = number + 1
            self.tally.seconds += 0.0 if step is None else time.monotonic() - began
            listener(image, step, self.tally)
            if time.monotonic() >= checkpoint_at and self._part is not None:
                self._checkpoint()
                checkpoint_at = time.monotonic() + self._settings.checkpoint_seconds
        return True

    def _write_step(self, number: int, image: InputImage) -> Step | None:
        step = self._stepper.process(image, self.tally)
        if step is None:
            return None
        part = self._open_part(number)
        self._memory.last_log_ns, self._memory.last_stamp_ns = image.log_ns, step.frame.stamp_ns
        if not self._topology_written:
            self._topology_written = True
            part.write(*self._at(image.log_ns, self._stepper.topology(step.frame.stamp_ns)))
        for message in step.messages:
            part.write(*self._at(image.log_ns, message))
        return step

    def _finish(self) -> None:
        """The map as it is at the end, and the last checkpoint."""
        if self.tally.processed == 0:
            seen = self.tally.next_image
            reasons = '; '.join(self.tally.skipped_list[:3])
            self._work.remove()
            raise RunError(f'none of {seen} images could be used: {reasons}' if seen else NOTHING_SELECTED)
        part = self._open_part(self.tally.next_image)
        if self._stepper.publishes_map and not self._stepper.has_map_of(self._memory.last_log_ns):
            final_map = self._stepper.map_message(self._memory.last_stamp_ns)
            part.write(*self._at(self._memory.last_log_ns, final_map))
        self.tally.finished = True
        self._checkpoint()

    def _open_part(self, number: int) -> PartWriter:
        if self._part is None:
            self._part_path = self._work.new_part(number)
            topics = [(TF_TOPIC, TFMessage, TF_DEPTH, False)]
            topics += [(self._stepper.topic_name(t), t.message_type, t.depth, t.latched) for t in OUTPUT_TOPICS]
            self._part = PartWriter(self._part_path, topics)
        return self._part

    def _checkpoint(self) -> None:
        assert self._part is not None
        self._part.close()
        self._part = None
        snapshot = self._work.new_snapshot(self.tally.next_image)
        self._stepper.reconstructor.save_state(snapshot)
        self._stepper.remember(self._memory)
        self._work.commit(self._part_path, snapshot, asdict(self._memory))

    @staticmethod
    def _at(log_ns: int, message: tuple[str, Any]) -> tuple[str, int, Any]:
        return message[0], log_ns, message[1]
