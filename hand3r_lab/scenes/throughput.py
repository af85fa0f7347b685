"""Measures how many frames per second the renderer draws, end to end, with worker processes.

``python -m hand3r_lab.scenes.throughput --processes 2`` prints one line. Counted is everything a data set needs:
planning, skinning, set-up of the scene, shadows, drawing, effects and ground truth. Not counted is what happens once
per process: starting the interpreter, loading the compiled code, drawing the texture bank and finding the grasps.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence as Seq
from dataclasses import dataclass

import cv2

from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import SPLITS, sequence_seed

_THREAD_VARIABLES = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMBA_NUM_THREADS')
_WARM_UP = 2  # sequences per process before the clock starts


@dataclass(frozen=True)
class Throughput:
    """Result of a measurement."""

    frames_per_second: float  # of all processes, by the clock
    frames_per_core_second: float  # per second of processor time: what one idle core would do


def measure(
    processes: int = 2,
    sequences: int = 24,
    frames: int = 16,
    size: tuple[int, int] = (224, 224),
    split: str = 'train',
    fps: float = 4.0,
) -> Throughput:
    """Frames per second of all processes together, end to end.

    Args:
        processes: worker processes, each with one thread.
        sequences: how many each worker draws while the clock runs.
        frames: per sequence.
        size: width and height in pixels.
        split: whose seeds and pools are used.
        fps: frame rate of the scenes (it decides how far things move between frames, not the cost).
    """
    config = SceneConfig(width=size[0], height=size[1], frames=frames, fps=fps)
    context = multiprocessing.get_context('spawn')
    ready, done = context.Barrier(processes + 1), context.Barrier(processes + 1)
    cpu = context.Value('d', 0.0)
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, '1'))  # the workers inherit it
    try:
        workers = [
            context.Process(target=_draw, args=(config, split, number, sequences, ready, done, cpu), daemon=True)
            for number in range(processes)
        ]
        for worker in workers:
            worker.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    ready.wait()
    start = time.perf_counter()
    done.wait()
    duration = time.perf_counter() - start
    for worker in workers:
        worker.join()
    drawn = processes * sequences * frames
    return Throughput(drawn / duration, drawn / cpu.value)


def _draw(config: SceneConfig, split: str, worker: int, sequences: int, ready, done, cpu) -> None:  # type: ignore[no-untyped-def]
    cv2.setNumThreads(1)
    first = worker * (sequences + _WARM_UP)
    for index in range(first, first + _WARM_UP):
        Sequence(sequence_seed(split, index), config).frame(0)
    ready.wait()
    start = time.process_time()
    for index in range(first + _WARM_UP, first + _WARM_UP + sequences):
        sequence = Sequence(sequence_seed(split, index), config)
        for number in range(config.frames):
            sequence.frame(number)
    with cpu.get_lock():
        cpu.value += time.process_time() - start
    done.wait()


def main(arguments: Seq[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description='Frames per second of the scene renderer, set-up included.')
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--sequences', type=int, default=24, help='sequences per process')
    parser.add_argument('--frames', type=int, default=16, help='frames per sequence')
    parser.add_argument('--width', type=int, default=224)
    parser.add_argument('--height', type=int, default=224)
    parser.add_argument('--split', choices=SPLITS, default='train')
    options = parser.parse_args(arguments)
    size = options.width, options.height
    speed = measure(options.processes, options.sequences, options.frames, size, options.split)
    print(
        f'{speed.frames_per_second:.1f} frames/s at {size[0]}x{size[1]} with {options.processes} processes '
        f'({options.frames} frames per sequence, set-up included); '
        f'{speed.frames_per_core_second:.1f} frames per second of processor time'
    )


if __name__ == '__main__':
    main()
