"""Everything the golden files of the scene stream hold, recorded while the stream runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from cut3r_golden import OUTPUTS
from torch import Tensor

from hand3r_ros.network.scene.decoder import DecoderOutput
from hand3r_ros.network.scene.stream import SceneStep, SceneStream

DECODER_LAYERS = ('img', 'state')


class SceneRecorder:
    """Listens inside a stream; ``tensors`` are those of the last step under their golden names."""

    def __init__(self, stream: SceneStream) -> None:
        self.stream = stream
        self.inside: dict[str, Tensor] = {}
        stream._pose_token = self._listening(stream._pose_token, 'pose_token_in')
        stream.memory.write = self._listening(stream.memory.write, 'mem_new')
        self._decode = stream.decoder.forward
        stream.decoder.forward = self._decoder_forward
        for side, blocks in (('img', stream.decoder.image_blocks), ('state', stream.decoder.state_blocks)):
            for layer, block in enumerate(blocks, start=1):
                block.register_forward_hook(self._layer_hook(f'{side}_layer{layer}'))

    def tensors(self, result: SceneStep) -> dict[str, Tensor]:
        """Golden name to the whole tensor, for the step that gave ``result``."""
        prediction, state = result.prediction, result.state
        found = {theirs: getattr(prediction, ours) for theirs, ours in OUTPUTS.items()}
        return {
            **{name: value for name, value in found.items() if value is not None},
            **self.inside,
            'enc_feat': prediction.image_tokens,
            'img_layer0': prediction.image_tokens,
            'state_after': state.tokens,
            'mem_after': state.memory,
        }

    def _listening(self, function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
        def listened(*arguments: Any) -> Tensor:
            self.inside[name] = function(*arguments)
            return self.inside[name]

        return listened

    def _layer_hook(self, name: str) -> Callable[..., None]:
        def hook(_module: object, _inputs: object, output: tuple[Tensor, object]) -> None:
            self.inside[name] = output[0]

        return hook

    def _decoder_forward(self, *arguments: Any, with_state_logit: bool = False) -> DecoderOutput:
        """The gate is recorded also where it is not applied, as in the golden data."""
        decoded = self._decode(*arguments, with_state_logit=True)
        depth = len(decoded.layers)
        self.inside['state_layer0'] = arguments[2]
        self.inside |= {f'img_layer{depth}': decoded.layers[-1], f'state_layer{depth}': decoded.state}
        self.inside |= {'state_new': decoded.state, 'beta': torch.sigmoid(decoded.state_logit)[0]}
        return decoded if with_state_logit else decoded._replace(state_logit=None)
