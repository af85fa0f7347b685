"""Hands on real photos: how many labelled ones are found, how many stretched fingers are right, and what is no hand.

The online pipeline sees every photo as the first image of a session. Their cameras are unknown, so the focal length is
taken as ``FOCAL`` times the width, which most phones and webcams are near. Beside the hands that the node would publish
stand the landmarks they were fitted to, and what the preset's hand network says in the same boxes and in its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_lab.cpu_threads import opencv_threads, torch_threads
from hand3r_lab.evaluation.finger_counts import LabelledHand, LabelledPhoto, matched, read_labels, stretched_fingers
from hand3r_lab.evaluation.numbers import Numbers
from hand3r_lab.fused_head import file_sha256
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.checkpoints.locations import find_weights_folder
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.media import image_folder, read_image
from hand3r_ros.network.checkpoints import read_weights_info
from hand3r_ros.online.config import DetectionConfig, MapConfig, ReconstructorConfig
from hand3r_ros.online.detection.base import DetectorUnavailableError, HandDetector
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult

FOCAL = 0.9
"""Of the width: a horizontal field of view of 58 degrees."""
MAX_HANDS = 4

FITTED = 'published hands, fitted to landmarks'
LANDMARKS = 'landmarks alone'
SAME_BOXES = 'hand network, in the boxes of the landmarks'
NETWORK = 'hand network, in boxes of its own detection head'
LABELLED, FOUND, EXACT, OTHERS, GHOSTS = (
    'labelled hands',
    'found',
    'count exact',
    'other hands',
    'hands in images without any',
)


@dataclass(frozen=True, eq=False)
class SeenHand:
    """What one way of looking says about a hand."""

    box: NDArray[np.floating]  # (4,) px
    keypoints: NDArray[np.floating]  # (21, 3) any unit
    result: HandResult | None = None  # where there is a whole hand


@dataclass(frozen=True)
class SeenPhoto:
    """A photo and what the published way shows, for pictures."""

    photo: LabelledPhoto
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    camera: Intrinsics
    hands: tuple[HandResult, ...]
    counts: tuple[int | None, ...]  # stretched fingers of each labelled hand, None where it was missed


@dataclass(frozen=True)
class PhotoRecord:
    """Numbers, and what they were measured with."""

    preset: str
    weights_sha256: str
    photos: int
    images_without_hands: int
    empty_rooms: int
    rows: dict[str, Numbers] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Writes JSON; raises OSError when the file cannot be written."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + '\n')

    @classmethod
    def load(cls, path: Path) -> PhotoRecord:
        """The record of a file from ``save``; raises OSError or ValueError."""
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            return cls(**content)
        except (TypeError, ValueError) as error:
            raise ValueError(f'{path} was not written by `hand3r-lab evaluate --photos --out` ({error})') from error


class PhotoPipelines:
    """The ways of looking at a photo, loaded once."""

    def __init__(self, preset: str, weights_dir: Path | None = None, device: str = 'cpu') -> None:
        """Loads the weights; raises as ``build_reconstructor``."""
        base = ReconstructorConfig(
            preset=preset,
            weights_dir=weights_dir,
            device=device,
            pose_source='tf',
            max_hands=MAX_HANDS,
            map=MapConfig(enabled=False),
        )
        published = dataclasses.replace(base, detection=DetectionConfig(detector='auto'))
        self._watched = _WatchedDetector(make_detector(published))
        self._published = build_reconstructor(published, self._watched)
        self._given = build_reconstructor(base)
        own = dataclasses.replace(base, detection=DetectionConfig(detector='network'))
        self._network: OnlineReconstructor | None = None
        with contextlib.suppress(DetectorUnavailableError):  # weights without a detection head: there is one row less
            self._network = build_reconstructor(own)

    def look(self, image: NDArray[np.uint8]) -> dict[str, list[SeenHand]]:
        """What every way says about an image (H, W, 3) RGB."""
        frame = CameraFrame(image, 0, photo_camera(image), T_world_camera=np.eye(4))
        seen = {FITTED: _hands(self._published, frame)}
        marked = [hand for hand in self._watched.found if hand.landmarks is not None]
        seen[LANDMARKS] = [SeenHand(h.box, h.landmarks.points_metric) for h in marked if h.landmarks is not None]
        boxes = tuple(dataclasses.replace(hand, landmarks=None) for hand in marked)
        seen[SAME_BOXES] = _hands(self._given, dataclasses.replace(frame, detections=boxes))
        if self._network is not None:
            seen[NETWORK] = _hands(self._network, frame)
        return seen


class _WatchedDetector:
    """Another detector, whose last answer is kept."""

    def __init__(self, detector: HandDetector) -> None:
        self._detector = detector
        self.found: tuple[HandDetection, ...] = ()

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        self.found = self._detector.detect(frame, previous, head)
        return self.found

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        return self._detector.wants_head(frame, previous)

    def can_answer(self, frame: CameraFrame) -> bool:
        return self._detector.can_answer(frame)

    def reset(self) -> None:
        self._detector.reset()


def photo_camera(image: NDArray[np.uint8]) -> Intrinsics:
    """The camera that is assumed for a photo (H, W, 3)."""
    height, width = image.shape[:2]
    return Intrinsics(FOCAL * width, FOCAL * width, (width - 1) / 2.0, (height - 1) / 2.0, width, height)


def _hands(reconstructor: OnlineReconstructor, frame: CameraFrame) -> list[SeenHand]:
    reconstructor.reset('next photo')
    hands = reconstructor.process(frame).hands
    return [SeenHand(hand.box, hand.keypoints_camera, hand) for hand in hands]


class PhotoScore:
    """Counts of one way of looking over all photos that were added."""

    def __init__(self) -> None:
        self.labelled = self.found = self.exact = self.others = self.ghosts = 0

    def add(self, labels: tuple[LabelledHand, ...], hands: list[SeenHand]) -> tuple[int | None, ...]:
        """Counts one photo; returns the stretched fingers of every labelled hand, None where it was missed."""
        chosen = matched(labels, [hand.box for hand in hands])
        counts = tuple(None if index is None else stretched_fingers(hands[index].keypoints) for index in chosen)
        self.labelled += len(labels)
        self.found += sum(index is not None for index in chosen)
        self.others += len(hands) - sum(index is not None for index in chosen)
        self.exact += sum(count == hand.fingers for hand, count in zip(labels, counts, strict=True))
        return counts

    def add_without_hands(self, hands: list[SeenHand]) -> None:
        """Counts an image that shows no hand."""
        self.ghosts += len(hands)

    def numbers(self, ghosts_counted: bool) -> Numbers:
        """As they are written; ``ghosts_counted``: there were images without hands."""
        numbers = {LABELLED: self.labelled, FOUND: self.found, EXACT: self.exact, OTHERS: self.others}
        if ghosts_counted:
            numbers[GHOSTS] = self.ghosts
        return {name: float(value) for name, value in numbers.items()}


def evaluate_photos(
    folder: Path,
    without_hands: Collection[Path] = (),
    empty_rooms: int = 0,
    preset: str = 'tiny',
    weights_dir: Path | None = None,
) -> tuple[PhotoRecord, list[SeenPhoto]]:
    """Looks at all labelled photos of ``folder`` and at images without hands; computes with one thread.

    Args:
        folder: photos with ``labels.csv``.
        without_hands: images that show no hand, or folders of such.
        empty_rooms: how many rendered rooms without hands are looked at as well.
        preset: of the network.
        weights_dir: where its weights are.

    Raises:
        ValueError: a folder or file cannot be used.
        WeightsError, HandModelMismatchError, DetectorUnavailableError: as ``build_reconstructor``.

    """
    photos = read_labels(folder)
    empty = [file for path in without_hands for file in (image_folder(path).images if path.is_dir() else (path,))]
    sha256 = file_sha256(read_weights_info(find_weights_folder(preset, weights_dir) / f'{preset}.safetensors').path)
    with torch_threads(1), opencv_threads(1):
        pipelines = PhotoPipelines(preset, weights_dir)
        scores: dict[str, PhotoScore] = {}
        shown = []
        for photo in _shown(photos, 'photos'):
            image = _read(photo.path)
            seen = pipelines.look(image)
            counts = {way: scores.setdefault(way, PhotoScore()).add(photo.hands, hands) for way, hands in seen.items()}
            hands = tuple(hand.result for hand in seen[FITTED] if hand.result is not None)
            shown.append(SeenPhoto(photo, image, photo_camera(image), hands, counts[FITTED]))
        for path in _shown(empty, 'images without hands'):
            for way, hands_seen in pipelines.look(_read(path)).items():
                scores[way].add_without_hands(hands_seen)
        for index in _shown(range(empty_rooms), 'rooms without hands'):
            for way, hands_seen in pipelines.look(_empty_room(index)).items():
                scores[way].add_without_hands(hands_seen)
    rows = {way: score.numbers(len(empty) + empty_rooms > 0) for way, score in scores.items()}
    return PhotoRecord(preset, sha256, len(photos), len(empty), empty_rooms, rows), shown


def format_photos(record: PhotoRecord) -> str:
    """Markdown table."""
    about = (
        f'{record.photos} photos, focal length taken as {FOCAL:g} x width, preset `{record.preset}` (SHA-256 '
        f'`{record.weights_sha256[:16]}...`)'
    )
    without = record.images_without_hands + record.empty_rooms
    if without:
        about += f'; {without} images without hands, {record.empty_rooms} of them rendered'
    about += '. Shares are of all labelled hands.'
    columns = [LABELLED, FOUND, EXACT, OTHERS, *([GHOSTS] if without else [])]
    lines = [about, '', f'| | {" | ".join(columns)} |', '|---' * (len(columns) + 1) + '|']
    for way, numbers in record.rows.items():
        cells = [_cell(name, numbers) for name in columns]
        lines.append(f'| {way} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def _cell(name: str, numbers: Numbers) -> str:
    if name in (FOUND, EXACT):
        return f'{numbers[name]:.0f} ({100.0 * numbers[name] / max(numbers[LABELLED], 1.0):.0f} %)'
    return f'{numbers[name]:.0f}'


def _empty_room(index: int) -> NDArray[np.uint8]:
    """(480, 640, 3) RGB, of the test split."""
    scene = SceneConfig(width=640, height=480, frames=1, hands='none')
    return Sequence(sequence_seed('test', index), scene).frame(0).image


def _read(path: Path) -> NDArray[np.uint8]:
    return np.ascontiguousarray(read_image(path)[..., ::-1])


def _shown(items: Iterable[Any], name: str) -> Iterable[Any]:
    return tqdm(items, desc=name, mininterval=1.0)
