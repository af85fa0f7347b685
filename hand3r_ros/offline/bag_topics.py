"""Selects the topics of a recording: those the user names, else the only ones of a suitable type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from hand3r_ros.offline.errors import InputError

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
CAMERA_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
DETECTIONS_TYPE = 'vision_msgs/msg/Detection2DArray'
TRANSFORMS_TYPE = 'tf2_msgs/msg/TFMessage'
_NO_COLOR_IMAGE = ('depth', 'disparity', 'mask', 'segmentation', 'infra', 'thermal', 'theora')
"""Image topics with these words in their names are not taken unless they are asked for."""


_REGISTERED = ('aligned', 'registered', 'depth_to_')
"""Words in the names of depth topics that say that the depth is in the view of the colour camera."""


@dataclass(frozen=True)
class BagTopics:
    """Names of topics; empty: to be found, or none."""

    image: str = ''
    camera_info: str = ''
    detections: str = ''
    transforms: tuple[str, ...] = ()
    depth: str = ''
    depth_info: str = ''

    def chosen(self, types: Mapping[str, str], path: Path) -> BagTopics:
        """The topics to read, from the types of all topics of the recording that have messages.

        Raises:
            InputError: a named topic is missing or of another type, or several image topics fit.

        """
        image = self._image(types, path)
        info = self._named('--camera-info-topic', self.camera_info, (CAMERA_INFO_TYPE,), types, path)
        info = info or _beside(image, types)
        depth = self._named('--depth-topic', self.depth, IMAGE_TYPES, types, path) or _depth_beside(image, types)
        detections = self._named('--detections-topic', self.detections, (DETECTIONS_TYPE,), types, path)
        return BagTopics(
            image,
            info,
            detections or _only(DETECTIONS_TYPE, types),
            tuple(sorted(topic for topic, kind in types.items() if kind == TRANSFORMS_TYPE)),
            depth,
            _info_of_depth(depth, info, types),
        )

    def _image(self, types: Mapping[str, str], path: Path) -> str:
        if self.image:
            return self._named('--topic', self.image, IMAGE_TYPES, types, path)
        found = sorted(topic for topic, kind in types.items() if kind in IMAGE_TYPES)
        if not found:
            listed = ', '.join(f'{topic} ({kind})' for topic, kind in sorted(types.items())) or 'none'
            raise InputError(f'recording {path} has no image topic; its topics: {listed}')
        color = [topic for topic in found if not any(word in topic.lower() for word in _NO_COLOR_IMAGE)]
        if len(color) == 1:
            return color[0]
        raw = {topic for topic in color if types[topic] == IMAGE_TYPES[0]}
        if len(raw) == 1 and all(topic in raw or topic.rpartition('/')[0] in raw for topic in color):
            return raw.pop()  # the others are the same images, compressed
        raise InputError(f'recording {path} has {len(found)} image topics, choose one by --topic: {", ".join(found)}')

    @staticmethod
    def _named(option: str, topic: str, kinds: tuple[str, ...], types: Mapping[str, str], path: Path) -> str:
        if not topic:
            return ''
        topic = topic if topic.startswith('/') else f'/{topic}'
        if topic not in types:
            fitting = ', '.join(sorted(name for name, kind in types.items() if kind in kinds)) or 'none'
            raise InputError(
                f'{option} {topic} is not in recording {path} or has no messages; topics of a fitting type: {fitting}'
            )
        if types[topic] not in kinds:
            raise InputError(f'{option} {topic} is of type {types[topic]}, not {" or ".join(kinds)}')
        return topic


def _beside(image: str, types: Mapping[str, str]) -> str:
    """The camera_info that belongs to an image topic by ROS's convention, else the only one; '' if there is none."""
    namespace = image.rpartition('/')[0]
    for candidate in (f'{namespace}/camera_info', f'{namespace.rpartition("/")[0]}/camera_info'):
        if types.get(candidate) == CAMERA_INFO_TYPE:
            return candidate
    return _only(CAMERA_INFO_TYPE, types)


def _info_of_depth(depth: str, color_info: str, types: Mapping[str, str]) -> str:
    """The camera_info right beside a depth topic, if it is not that of the colour camera; '' if there is none."""
    image, _, transport = depth.rpartition('/')
    namespace = (image if transport.startswith('compressed') else depth).rpartition('/')[0]
    found = f'{namespace}/camera_info'
    return found if types.get(found) == CAMERA_INFO_TYPE and found != color_info else ''


def _depth_beside(image: str, types: Mapping[str, str]) -> str:
    """The depth that belongs to an image topic: registered rather than not, near it by name, raw; '' if none does."""
    found = [
        topic
        for topic, kind in types.items()
        if kind in IMAGE_TYPES and topic != image and 'depth' in topic.lower() and not _is_no_depth(topic)
    ]

    def rank(topic: str) -> tuple[bool, int, bool, str]:
        same = (one == other for one, other in zip(topic.split('/'), image.split('/'), strict=False))
        shared = len(list(takewhile(bool, same)))
        is_registered = any(word in topic.lower() for word in _REGISTERED)
        return not is_registered, -shared, types[topic] != IMAGE_TYPES[0], topic

    return min(found, key=rank, default='')


def _is_no_depth(topic: str) -> bool:
    return any(word in topic.lower() for word in ('confidence', 'theora', 'infra', 'disparity', 'ffmpeg'))


def _only(kind: str, types: Mapping[str, str]) -> str:
    found = [topic for topic, its_kind in types.items() if its_kind == kind]
    return found[0] if len(found) == 1 else ''
