"""Several networks on the same frames compute only once what is the same for all of them.

Encoders look at images and crops alone, never at the recurrent state, so passes and ablations that see the same pixels
share them. Passes that differ in nothing but what is made of the network's output share whole steps. What is remembered
is found again by its content, bit for bit, so sharing changes no number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from hand3r_ros.network.hand3r import EncodedFrame, Hand3R
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState

if TYPE_CHECKING:
    from typing_extensions import Self

REMEMBERED = 3
"""Results kept of every part: of the frame, of its black twin, of the pass that is given more hands."""

Result = TypeVar('Result')


class Memory(Generic[Result]):
    """The latest results of a function that depends on its arguments alone."""

    def __init__(self, function: Callable[..., Result], size: int = REMEMBERED) -> None:
        self._function, self._size = function, size
        self._known: list[tuple[tuple[Any, ...], Result]] = []  # the latest first
        self.calls = 0
        """How often the function was asked, not remembered."""

    def __call__(self, *arguments: Any) -> Result:
        """The result, which must not be changed in place; arguments are containers of tensors."""
        for index, (seen, result) in enumerate(self._known):
            if is_same(seen, arguments):
                self._known.insert(0, self._known.pop(index))
                return result
        self.calls += 1
        result = self._function(*arguments)
        self._known = [(arguments, result), *self._known[: self._size - 1]]
        return result


class RememberingModule(nn.Module):
    """A module without state that is asked the same several times in a row."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.memory: Memory[Any] = Memory(module)

    def forward(self, *inputs: Any) -> Any:
        """Output of the module."""
        return self.memory(*inputs)


class SharingNetwork(Hand3R):
    """A network with the parts of another one, none of them copied."""

    @classmethod
    def of(cls, network: Hand3R) -> Self:
        """One more network of the parts of ``network``, in evaluation mode."""
        with torch.device('meta'):  # every part is replaced
            twin = cls(network.config)
        for name, part in network.named_children():
            setattr(twin, name, part)
        return twin.eval()


class SharedSteps(SharingNetwork):
    """The network as it is; the same frame after the same state is decoded once."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.steps: Memory[tuple[SceneState, Prediction]] = Memory(super().decode)

    def decode(
        self,
        state: SceneState,
        frame: Frame,
        boxes: HandBoxes,
        encoded: EncodedFrame,
        dense: frozenset[str] = frozenset(),
    ) -> tuple[SceneState, Prediction]:
        """As the network."""
        return self.steps(state, frame, boxes, encoded, dense)


def share_encoders(network: Hand3R) -> Hand3R:
    """Lets ``network``, and everything made of its parts afterwards, encode the same images and crops once."""
    network.scene.image_encoder = RememberingModule(network.scene.image_encoder)  # type: ignore[assignment]
    network.hand = RememberingModule(network.hand)  # type: ignore[assignment]
    return network


def is_same(one: Any, other: Any) -> bool:
    """Whether two nestings of tensors and plain values are the same, bit for bit."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if dataclasses.is_dataclass(one):
        return all(is_same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(is_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
