#!/usr/bin/env python3
"""Writes weights/palm_detector.safetensors and weights/hand_landmarks.safetensors from the mediapipe 0.10.21 wheel.

For maintainers; the files it writes are part of the repository. Needs what requirements.txt names, and

    pip install tflite==2.18.0
    pip download --no-deps --only-binary=:all: mediapipe==0.10.21
    scripts/convert_landmark_networks.py mediapipe-0.10.21-*.whl

The wheel is opened as an archive, not installed. Both networks are plain chains of operators, so the n-th constant of
the .tflite graph, counted in the order in which operators use them, is the n-th parameter of our module; shapes are
checked. Numbers stay float16, as they are in the wheel.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import tflite
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from hand3r_ros.network.landmarks.landmark_network import LandmarkNetwork
from hand3r_ros.network.landmarks.palm_detector import PalmDetector

WEIGHTS = Path(__file__).parents[1] / 'weights'
NETWORKS: dict[str, tuple[str, type[nn.Module]]] = {
    'palm_detector': ('mediapipe/modules/palm_detection/palm_detection_full.tflite', PalmDetector),
    'hand_landmarks': ('mediapipe/modules/hand_landmark/hand_landmark_full.tflite', LandmarkNetwork),
}
_TYPES = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16}


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('wheel', type=Path, help='mediapipe-0.10.21-*.whl')
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for name, (member, network) in NETWORKS.items():
            model = wheel.read(member)
            path = WEIGHTS / f'{name}.safetensors'
            header = {
                'source': f'{arguments.wheel.name.split("-cp")[0]}: {member}',
                'source_sha256': hashlib.sha256(model).hexdigest(),
                'license': 'Apache-2.0',
            }
            save_file(converted(model, network()), path, metadata=header)
            print(
                f'{path}: {path.stat().st_size / 1e6:.1f} MB, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}'
            )


def converted(model: bytes, network: nn.Module) -> dict[str, Tensor]:
    """The parameters of ``network`` from the constants of a .tflite model.

    Raises:
        SystemExit: number or shapes of the constants do not fit.

    """
    constants = _constants_in_order_of_use(tflite.Model.GetRootAsModel(model, 0))
    wanted = network.state_dict()
    if len(constants) != len(wanted):
        raise SystemExit(f'the model has {len(constants)} constants, the network {len(wanted)} parameters')
    found = {}
    for (name, parameter), constant in zip(wanted.items(), constants, strict=True):
        array = _in_torch_order(constant, parameter)
        if array.shape != tuple(parameter.shape):
            raise SystemExit(f'{name} has shape {tuple(parameter.shape)}, the constant in its place {constant.shape}')
        found[name] = torch.from_numpy(array.copy())
    return found


def _constants_in_order_of_use(model: tflite.Model) -> list[np.ndarray]:
    """Weights, biases and slopes of all operators; sizes and axes (integers) are left out."""
    graph = model.Subgraphs(0)
    stored: dict[int, np.ndarray] = {}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        buffer = model.Buffers(tensor.Buffer())
        if buffer.DataLength() and tensor.Type() in _TYPES:
            numbers = np.frombuffer(buffer.DataAsNumpy().tobytes(), _TYPES[tensor.Type()])
            stored[index] = numbers.reshape(tensor.ShapeAsNumpy() if tensor.ShapeLength() else ())
    used = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        inputs = [stored[number] for number in operator.InputsAsNumpy() if number in stored]
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == tflite.BuiltinOperator.DEQUANTIZE:
            stored[operator.Outputs(0)] = inputs[0]
        else:
            used += inputs
    return used


def _in_torch_order(constant: np.ndarray, parameter: Tensor) -> np.ndarray:
    if constant.ndim == 4 and constant.shape[0] == 1 and parameter.shape[1] == 1 and parameter.shape[0] > 1:
        return constant.transpose(3, 0, 1, 2)  # depthwise: 1, height, width, channels
    if constant.ndim == 4:
        return constant.transpose(0, 3, 1, 2)  # outputs, height, width, inputs
    return constant.reshape(tuple(parameter.shape)) if constant.ndim == 3 else constant  # slopes: 1, 1, channels


if __name__ == '__main__':
    main()
