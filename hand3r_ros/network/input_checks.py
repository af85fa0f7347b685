"""Checks of the arguments of ``Hand3R.step``: errors are raised before anything is computed.

Images, crops and ray maps must be finite, because one NaN would spread over the whole recurrent state. Boxes must be
finite too, but may lie outside of the image or be without area: region pooling then takes the nearest patches.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.types import Frame, HandBoxes, SceneState


def check_step(state: SceneState, frame: Frame, boxes: HandBoxes, config: Hand3RConfig, parameter: Tensor) -> None:
    """Checks all arguments of a step of the network that has ``config`` and, among others, ``parameter``.

    Raises:
        ValueError: naming the argument, what was found and what is expected.

    """
    batch = _check_image(frame.image, config.scene.patch_size)
    _check_placed('Frame.image', frame.image, parameter)
    _check_finite('Frame.image', _used(frame.image, frame.has_image))
    _check_frame_options(frame, batch)
    _check_intrinsics(frame.intrinsics, batch, config)
    check_boxes(boxes, batch, config.hand.crop_size)
    for name in ('crops', 'boxes'):
        _check_placed(f'HandBoxes.{name}', getattr(boxes, name), parameter)
        _check_finite(f'HandBoxes.{name}', getattr(boxes, name))
    _check_state(state, batch, config, parameter)


def check_boxes(boxes: HandBoxes, batch: int, crop_size: int) -> None:
    """Shapes of the hands, and that each belongs to one of ``batch`` images; raises ValueError."""
    count = len(boxes.boxes)
    expected = {
        'crops': (count, 3, crop_size, crop_size),
        'boxes': (count, 4),
        'is_right': (count,),
        'batch_index': (count,),
    }
    for name, shape in expected.items():
        found = tuple(getattr(boxes, name).shape)
        if found != shape:
            raise ValueError(f'HandBoxes.{name} must be {list(shape)} for {count} hands, got {list(found)}')
    if boxes.present is not None and (tuple(boxes.present.shape) != (count,) or count % batch):
        raise ValueError(
            f'HandBoxes.present must be [{count}] with equally many places in each of {batch} images, '
            f'got {list(boxes.present.shape)}'
        )
    if count and boxes.batch_index.dtype != torch.int64:
        raise ValueError(f'HandBoxes.batch_index must be torch.int64, got {boxes.batch_index.dtype}')
    if count and boxes.is_right.dtype != torch.bool:
        raise ValueError(f'HandBoxes.is_right must be torch.bool, got {boxes.is_right.dtype}')
    if count and not 0 <= int(boxes.batch_index.min()) <= int(boxes.batch_index.max()) < batch:
        raise ValueError(f'HandBoxes.batch_index must lie in 0..{batch - 1}, got {boxes.batch_index.tolist()}')


def _check_image(image: Tensor, patch_size: int) -> int:
    """The batch size of an image that has the right shape."""
    sides = image.shape[2:]
    if image.ndim != 4 or image.shape[1] != 3 or any(side < 1 or side % patch_size for side in sides):
        raise ValueError(
            f'Frame.image must be [B, 3, H, W] with H and W multiples of {patch_size}, got {list(image.shape)}'
        )
    if len(image) < 1:
        raise ValueError(f'Frame.image must hold at least one image, got {list(image.shape)}')
    return len(image)


def _check_frame_options(frame: Frame, batch: int) -> None:
    height, width = frame.image.shape[2:]
    for name in ('update', 'reset', 'has_image', 'has_ray_map'):
        flags = getattr(frame, name)
        if flags is not None and tuple(flags.shape) != (batch,):
            raise ValueError(f'Frame.{name} must be [{batch}], one per image, got {list(flags.shape)}')
    if frame.ray_map is not None:
        if tuple(frame.ray_map.shape) != (batch, height, width, 6):
            raise ValueError(
                f'Frame.ray_map must be {[batch, height, width, 6]} like the image, got {list(frame.ray_map.shape)}'
            )
        _check_finite('Frame.ray_map', _used(frame.ray_map, frame.has_ray_map))


def _check_intrinsics(intrinsics: Tensor | None, batch: int, config: Hand3RConfig) -> None:
    if intrinsics is None:
        return
    if not config.scene.takes_camera:
        raise ValueError('Frame.intrinsics must be None: this network takes no camera (self_points)')
    if tuple(intrinsics.shape) != (batch, 4):
        raise ValueError(f'Frame.intrinsics must be [{batch}, 4] fx fy cx cy, got {list(intrinsics.shape)}')
    _check_finite('Frame.intrinsics', intrinsics)
    if not bool((intrinsics[:, :2] > 0.0).all()):
        raise ValueError(f'Frame.intrinsics must have positive focal lengths, got {intrinsics[:, :2].tolist()}')


def _check_state(state: SceneState, batch: int, config: Hand3RConfig, parameter: Tensor) -> None:
    scene = config.scene
    expected = {
        'tokens': (scene.state_size, scene.decoder_width),
        'positions': (scene.state_size, 2),
        'memory': (scene.memory_slots, 2 * scene.decoder_width),
        'initial_tokens': (scene.state_size, scene.decoder_width),
        'initial_memory': (scene.memory_slots, 2 * scene.decoder_width),
    }
    for name, shape in expected.items():
        tensor = getattr(state, name)
        if tuple(tensor.shape) != (batch, *shape):
            raise ValueError(
                f'SceneState.{name} must be {[batch, *shape]} for {batch} images and this network, '
                f'got {list(tensor.shape)}: begin with init_state({batch})'
            )
        if tensor.device != parameter.device:
            raise ValueError(f'SceneState.{name} is on {tensor.device}, the network on {parameter.device}')
    for name in ('tokens', 'memory'):
        _check_finite(f'SceneState.{name}', getattr(state, name))


def _used(tensor: Tensor, counts: Tensor | None) -> Tensor:
    """The part of a batch that is not ignored."""
    return tensor if counts is None else tensor[counts.to(tensor.device, torch.bool)]


def _check_placed(name: str, tensor: Tensor, parameter: Tensor) -> None:
    """On the network's device, and of its number format unless autocast takes care of that."""
    if tensor.device != parameter.device:
        raise ValueError(f'{name} is on {tensor.device}, the network on {parameter.device}')
    autocast = torch.is_autocast_enabled(parameter.device.type)
    if not tensor.is_floating_point() or (tensor.dtype != parameter.dtype and not autocast):
        raise ValueError(f'{name} must be {parameter.dtype} like the network, got {tensor.dtype}')


def _check_finite(name: str, tensor: Tensor) -> None:
    if not bool(torch.isfinite(tensor).all()):
        bad = int((~torch.isfinite(tensor)).sum())
        raise ValueError(f'{name} {list(tensor.shape)} holds {bad} values that are not finite')
