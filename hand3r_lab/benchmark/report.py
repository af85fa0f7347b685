"""What ``hand3r-lab benchmark`` measures for which options, and how it says it."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from hand3r_lab.benchmark.hands import HandSpeed, measure_hand
from hand3r_lab.benchmark.measuring import Seconds, matmul_gflops
from hand3r_lab.benchmark.pipeline import measure_pipeline
from hand3r_lab.benchmark.random_weights import with_random_weights
from hand3r_lab.benchmark.scene import SceneSpeed, measure_scene, total
from hand3r_lab.benchmark.throughput import measure_throughput
from hand3r_lab.cpu_threads import torch_threads
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset as preset_config

Numbers = dict[str, float]


@dataclass(frozen=True)
class BenchmarkOptions:
    """The command's options."""

    preset: str = 'tiny'
    weights_dir: Path | None = None
    random_weights: bool = False
    """Measure the bare network with random weights; the full preset is always measured so."""
    frames: int = 200
    threads: int = 1
    image_size: tuple[int, int] | None = None
    """Height and width of the scene image; None: a 4:3 image of the preset's long side."""
    original: bool = True
    """Also compute frames the way the published network does."""
    device: str = 'cpu'
    """'cpu', or 'cuda' for frames per second in bfloat16 on a GPU."""


def run_benchmark(options: BenchmarkOptions, out: Path | None = None) -> str:
    """Measures and returns the table as text; ``out`` also gets the numbers as JSON."""
    with torch_threads(options.threads):
        numbers = _numbers(options)
    if out is not None:
        out.write_text(json.dumps(numbers, indent=1))
    head = f'{options.preset}, {options.threads} thread(s), {platform.machine()}, torch {torch.__version__}'
    return '\n'.join([head, *(f'{name:<64} {value:10.3f}' for name, value in numbers.items())])


def _numbers(options: BenchmarkOptions) -> Numbers:
    if options.device == 'cuda':
        return gpu_numbers(options)
    if options.random_weights or options.preset == 'full':
        return random_weights_numbers(options)
    return measure_pipeline(options.preset, options.weights_dir, options.frames)


def image_size(options: BenchmarkOptions) -> tuple[int, int]:
    """Height and width in pixels."""
    if options.image_size is not None:
        return options.image_size
    width = preset_config(options.preset).image_long_side
    return round(width * 3 / 4) // 16 * 16, width


def random_weights_numbers(options: BenchmarkOptions) -> Numbers:
    """Scene stream and hand stream, one after the other so that their memory does not add up."""
    config, size = preset_config(options.preset), image_size(options)
    rate = matmul_gflops()
    numbers = {
        'this machine: matmul GFLOP per CPU second': rate.cpu,
        'this machine: matmul GFLOP per second': rate.wall,
    }
    with_original = options.original and config.scene.head == 'dpt' and config.scene.world_head
    numbers |= scene_numbers(measure_scene(config.scene, size, options.frames, with_original), rate)
    return numbers | hand_numbers(measure_hand(config.hand, options.frames), rate)


def scene_numbers(speed: SceneSpeed, rate: Seconds) -> Numbers:
    """The rows of one frame of the scene stream."""
    ours = total(speed.ours)
    numbers = {'scene stream, one frame: CPU seconds': ours.cpu, 'scene stream, one frame: seconds': ours.wall}
    numbers |= {f'  of that {stage}, CPU seconds': seconds.cpu for stage, seconds in speed.ours.items()}
    numbers['scene stream, one frame: GFLOP'] = speed.gflop
    numbers['  share of the matmul rate reached'] = speed.gflop / ours.cpu / rate.cpu
    numbers['scene stream: peak memory of the process, GiB'] = speed.peak / 2**10
    if speed.original is not None and speed.original_gflop is not None and speed.share is not None:
        original = total(speed.original)
        numbers['the published way, one frame: CPU seconds'] = original.cpu
        numbers['the published way, one frame: seconds'] = original.wall
        numbers |= {f'  of that {stage}, CPU seconds': s.cpu for stage, s in _renamed(speed.original).items()}
        numbers['the published way, one frame: GFLOP'] = speed.original_gflop
        numbers['scene stream: share of the published time, CPU'] = speed.share.cpu
        numbers['scene stream: share of the published time, wall'] = speed.share.wall
    return numbers


def hand_numbers(speed: HandSpeed, rate: Seconds) -> Numbers:
    """The rows of one hand crop."""
    numbers = {
        'hand stream, one crop, float32: CPU seconds': speed.float32.cpu,
        'hand stream, one crop, float32: seconds': speed.float32.wall,
        'hand stream, one crop: GFLOP': speed.gflop,
        '  share of the matmul rate reached, hand': speed.gflop / speed.float32.cpu / rate.cpu,
    }
    if speed.bfloat16 is None or speed.difference is None:
        return numbers | {'hand stream: this processor has bfloat16': 0.0}
    return numbers | {
        'hand stream, one crop, bfloat16: CPU seconds': speed.bfloat16.cpu,
        'hand stream: bfloat16 share of the float32 time, CPU': speed.bfloat16.cpu / speed.float32.cpu,
        'hand stream: bfloat16 tokens off by, rms share': speed.difference.tokens,
        'hand stream: bfloat16 joints off by at most, degrees': speed.difference.joint_angle,
        'hand stream: bfloat16 betas off by at most': speed.difference.betas,
        'hand stream: bfloat16 crop camera scale off by': speed.difference.scale,
    }


def gpu_numbers(options: BenchmarkOptions) -> Numbers:
    """Frames per second in bfloat16 with one and two hands, beside the operations they take."""
    if not torch.cuda.is_available():
        raise ValueError("device 'cuda' is not available here; leave --device out")
    return throughput_numbers(options, torch.bfloat16)


def throughput_numbers(options: BenchmarkOptions, dtype: torch.dtype, hands: tuple[int, ...] = (1, 2)) -> Numbers:
    """The rows of the joined network with random weights on ``options.device``."""
    from hand3r_lab.benchmark.hands import hand_gflop, make_rotations_valid
    from hand3r_lab.benchmark.scene import scene_gflop

    config, size = preset_config(options.preset), image_size(options)
    network = with_random_weights(lambda: Hand3R(config))
    make_rotations_valid(network.hand)
    floor, per_hand = scene_gflop(config.scene, size), hand_gflop(config.hand)
    numbers: Numbers = {}
    for measured in measure_throughput(network, size, hands, options.frames, options.device, dtype):
        name = f'{measured.hands} hand(s), {str(dtype).removeprefix("torch.")}'
        work = (floor + measured.hands * per_hand) * 1e-3
        numbers[f'{name}: frames per second'] = measured.frames_per_second
        numbers[f'{name}: TFLOP per frame'] = work
        numbers[f'{name}: TFLOP per second'] = work * measured.frames_per_second
        if measured.peak_gpu_mebibytes is not None:
            numbers[f'{name}: peak GPU memory, GiB'] = measured.peak_gpu_mebibytes / 2**10
    return numbers


def _renamed(stages: dict[str, Seconds]) -> dict[str, Seconds]:
    return {f'published {stage}': seconds for stage, seconds in stages.items()}
