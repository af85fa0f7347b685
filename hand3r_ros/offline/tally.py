"""Statistics of a run: counts for its summary and for ~/status, kept in every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand3r_ros.node.accounting import Counters

LISTED = 20
"""Skipped images that are listed by name; all are counted."""


@dataclass
class Tally:
    """JSON values only: stored with ``vars``."""

    next_image: int = 0  # number of the image that comes next, of those that are used
    processed: int = 0
    hands: int = 0
    frames_with_hands: int = 0
    sessions: int = 1
    seconds: float = 0.0  # spent on processed images, decoding and writing included
    skipped: dict[str, int] = field(default_factory=dict)  # by cause
    skipped_list: list[str] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)
    with_depth: int = 0  # images whose depth was measured
    without_detections: int = 0
    why_without: str = ''  # of the first of them
    bad_boxes: int = 0  # left out because no hand can be there
    bad_box: str = ''  # the first of them
    last_error: str = ''
    finished: bool = False  # all images are done

    def skip(self, name: str, cause: str, message: str) -> None:
        """One image that cannot be used."""
        self.skipped[cause] = self.skipped.get(cause, 0) + 1
        self.last_error = f'{name}: {message}'
        if len(self.skipped_list) < LISTED:
            self.skipped_list.append(self.last_error)

    def warn(self, message: str) -> None:
        """Something that a user should know, once, however often it happens."""
        self.warnings[message] = self.warnings.get(message, 0) + 1

    def miss_detections(self, why: str) -> None:
        """One image for which the detections topic says nothing."""
        self.without_detections += 1
        self.why_without = self.why_without or why

    def note_boxes(self, number: int, problem: str) -> None:
        """Boxes of one image that were left out."""
        self.bad_boxes += number
        self.bad_box = self.bad_box or problem

    @property
    def skipped_images(self) -> int:
        """Images that could not be used."""
        return sum(self.skipped.values())

    def counters(self) -> Counters:
        """As the node counts."""
        return Counters(
            received=self.processed + self.skipped_images,
            processed=self.processed,
            rejected=self.skipped_images,
            without_detections=self.without_detections,
            last_error=self.last_error,
            by_cause=dict(self.skipped),
        )
