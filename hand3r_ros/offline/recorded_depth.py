"""Brings the depth images of a recording to the colour images they belong to, while both are read in one pass."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hand3r_ros.node.depth_alignment import PublishedDepth
from hand3r_ros.offline.inputs import InputImage

LONGEST_WAIT_NS = 300_000_000
"""In the recording, from an image to depth that may still come for it."""
_KEPT = 32
"""Depth images that wait for theirs."""


@dataclass
class DepthPairing:
    """Images come out in their order, each as soon as its depth is known or too late."""

    slop_ns: int
    _depths: OrderedDict[int, Callable[[], PublishedDepth]] = field(default_factory=OrderedDict)
    _waiting: deque[InputImage] = field(default_factory=deque)

    def add_depth(self, stamp_ns: int, decode: Callable[[], PublishedDepth]) -> list[InputImage]:
        """A depth image of this stamp; gives the images that need not wait any longer."""
        self._depths[stamp_ns] = decode
        while len(self._depths) > _KEPT:
            self._depths.popitem(last=False)
        return self._ready(None)

    def add_image(self, image: InputImage) -> list[InputImage]:
        """A colour image; gives those that need not wait any longer."""
        self._waiting.append(image)
        return self._ready(image.log_ns - LONGEST_WAIT_NS)

    def rest(self) -> list[InputImage]:
        """The recording is at its end."""
        return self._ready(self._waiting[-1].log_ns) if self._waiting else []

    def _ready(self, too_late_ns: int | None) -> list[InputImage]:
        found: list[InputImage] = []
        while self._waiting:
            image = self._waiting[0]
            exact = self._depths.get(image.stamp_ns)
            if exact is None and (too_late_ns is None or image.log_ns > too_late_ns):
                return found
            self._waiting.popleft()
            found.append(replace(image, depth=exact or self._nearest(image.stamp_ns)))
        return found

    def _nearest(self, stamp_ns: int) -> Callable[[], PublishedDepth] | None:
        nearest = min(self._depths, key=lambda known: abs(known - stamp_ns), default=None)
        return None if nearest is None or abs(nearest - stamp_ns) > self.slop_ns else self._depths[nearest]
