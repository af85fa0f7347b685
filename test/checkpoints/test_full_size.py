"""Once at full size: files with every tensor of the published manifests become weights that run a frame.

Takes minutes, 12 GB of disk below pytest's temporary folder and 9 GB of memory; the numbers are random.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import foreign_files
import numpy as np
import pytest
import torch

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.data import ARRAY_NAMES, load_open_hand
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import PlacementConfig, ReconstructorConfig
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.results import CameraFrame, HandDetection

REFERENCE = Path(__file__).parents[3] / 'shared' / 'reference'
CONVERSION_MEMORY = 2 * 2**30
"""Bytes that converting may take; the weights have 5.9 GB."""

MEASURED_COMMAND = """
import sys
from hand3r_ros.cli import main
if main(sys.argv[1:]):
    sys.exit(1)
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(status['VmHWM'].split()[0])  # KiB at most; getrusage would count the process this one was forked from
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not REFERENCE.is_dir(), reason=f'the manifests are not in {REFERENCE}'),
]


def random_tensors(file: str) -> dict[str, torch.Tensor]:
    """Numbers for every entry of a manifest; tied entries share theirs."""
    content = json.loads((REFERENCE / file).read_text())
    generator = torch.Generator().manual_seed(0)
    tensors: dict[str, torch.Tensor] = {}
    for entry in content if isinstance(content, list) else content['tensors']:
        dtype = getattr(torch, entry['dtype'])
        if entry.get('tied_to') in tensors:
            tensors[entry['name']] = tensors[entry['tied_to']]
        elif dtype.is_floating_point:
            tensors[entry['name']] = torch.empty(entry['shape'], dtype=dtype).normal_(0, 0.02, generator=generator)
        else:
            tensors[entry['name']] = torch.zeros(entry['shape'], dtype=dtype)
    return tensors


def report(what: str, start: float) -> None:
    print(f'{what}: {time.monotonic() - start:.1f} s')


def test_published_layouts_run_at_full_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.monotonic()
    cut3r, hamer = tmp_path / 'cut3r_512_dpt_4_64.pth', tmp_path / 'hamer.ckpt'
    full = preset('full')
    foreign_files.write_cut3r(cut3r, monkeypatch, random_tensors('cut3r_manifest.json'), full)
    hand_tensors = random_tensors('hamer_manifest.json')
    hand_tensors['mano_head.init_cam'] = torch.tensor([[2.0, 0.0, 0.0]])  # a hand at about half a metre
    foreign_files.write_hamer(hamer, monkeypatch, hand_tensors, full)
    report(f'made {cut3r.stat().st_size} and {hamer.stat().st_size} bytes', start)
    hand = load_open_hand()  # stands for MANO here: same arrays, same shapes
    np.savez(tmp_path / 'MANO_RIGHT.npz', **{name: getattr(hand, name) for name in ARRAY_NAMES})

    start = time.monotonic()
    options = ['--cut3r', str(cut3r), '--hamer', str(hamer), '--mano', str(tmp_path), '--out', str(tmp_path / 'out')]
    finished = subprocess.run(
        [sys.executable, '-c', MEASURED_COMMAND, 'convert', *options], check=True, capture_output=True, text=True
    )
    report('converted', start)
    memory = int(finished.stdout.split()[-1]) * 1024
    weights = tmp_path / 'out' / 'full.safetensors'
    print(f'peak memory of the conversion {memory / 2**20:.0f} MiB, weights {weights.stat().st_size} bytes')
    assert memory < CONVERSION_MEMORY
    record = json.loads((tmp_path / 'out' / 'full.sources.json').read_text())
    assert record['warnings'] == []
    cut3r.unlink()
    hamer.unlink()

    start = time.monotonic()
    config = ReconstructorConfig(
        preset='full',
        weights_dir=tmp_path / 'out',
        hand_model='mano',
        device='cpu',
        placement=PlacementConfig(translation='aligned'),
    )
    reconstructor = build_reconstructor(config)
    report('loaded', start)
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    boxes = (HandDetection(np.array([250.0, 150, 400, 330]), HandSide.LEFT, 0.9),)
    start = time.monotonic()
    result = reconstructor.process(CameraFrame(image, 0, Intrinsics.from_field_of_view(60.0, 640, 480), boxes))
    report('one frame', start)
    print(
        f'peak memory, with what made the files, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB'
    )
    assert len(result.hands) == 1 and np.isfinite(result.hands[0].vertices_world).all()
    assert result.points_camera.shape[:2] == (384, 512) and np.isfinite(result.points_camera).all()
