"""Frames per second of the joined network for any number of hands, on the CPU or a GPU, in any precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from hand3r_lab.benchmark.measuring import median_seconds
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.precision import store_products_in
from hand3r_ros.network.types import Frame, HandBoxes, SceneState

WARM_UP = 3


@dataclass(frozen=True)
class Throughput:
    """Of one number of hands."""

    hands: int
    milliseconds: float
    """Median of single frames, state carried on."""
    peak_gpu_mebibytes: float | None

    @property
    def frames_per_second(self) -> float:
        """How many such frames fit into a second."""
        return 1e3 / self.milliseconds


def measure_throughput(
    network: Hand3R,
    image_size: tuple[int, int],
    hands: tuple[int, ...],
    frames: int,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype = torch.float32,
) -> list[Throughput]:
    """Moves ``network`` to ``device`` (and its products to ``dtype``) and runs it frame by frame."""
    device = torch.device(device)
    reduced = dtype != torch.float32
    if reduced:
        store_products_in(network, dtype)
    network.to(device).eval()
    frame = Frame((torch.rand(1, 3, *image_size) * 2.0 - 1.0).to(device))
    results = []
    for count in hands:
        boxes = example_boxes(count, image_size, network.config.hand.crop_size, device)
        if device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(device)
        with torch.inference_mode():
            state = network.init_state(1)
        stream = _FrameByFrame(network, frame, boxes, state, _autocast(device, dtype) if reduced else nullcontext())
        for _ in range(WARM_UP):
            stream.advance()
        milliseconds = 1e3 * median_seconds(stream.advance, frames, device).wall
        peak = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == 'cuda' else None
        results.append(Throughput(count, milliseconds, peak))
    return results


def example_boxes(count: int, image_size: tuple[int, int], crop_size: int, device: torch.device) -> HandBoxes:
    """``count`` hands side by side in an image of (height, width), left and right in turn."""
    height, width = image_size
    left = torch.arange(count) * width / max(count, 1)
    boxes = torch.stack((left, torch.full_like(left, 0.4 * height), left + 0.2 * width, left + 0.8 * height), dim=-1)
    return HandBoxes(
        torch.rand(count, 3, crop_size, crop_size).to(device),
        boxes.to(device),
        (torch.arange(count) % 2 == 1).to(device),
        torch.zeros(count, dtype=torch.int64, device=device),
    )


def _autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    return torch.autocast(device.type, dtype)


class _FrameByFrame:
    """Carries the recurrent state from call to call."""

    def __init__(
        self,
        network: Hand3R,
        frame: Frame,
        boxes: HandBoxes,
        state: SceneState,
        precision: AbstractContextManager[None],
    ) -> None:
        self.network, self.frame, self.boxes, self.state, self.precision = network, frame, boxes, state, precision

    @torch.inference_mode()
    def advance(self) -> None:
        with self.precision:
            self.state, _ = self.network.step(self.state, self.frame, self.boxes)
