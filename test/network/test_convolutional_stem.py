"""The stem that small presets use in the place of a linear patch embedding, or beside it."""

import pytest
import torch

from hand3r_ros.network.convolutional_stem import ConvolutionalStem
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.scene.config import SceneConfig, StemConfig
from hand3r_ros.network.scene.encoder import SceneEncoder

SMALL = StemConfig(quarter_width=8, eighth_width=8, blocks=1)


def test_every_patch_becomes_one_token() -> None:
    assert ConvolutionalStem(SMALL, 3, 12)(torch.zeros(2, 3, 48, 80)).shape == (2, 12, 3, 5)


def test_a_token_sees_as_far_to_every_side_of_its_patch() -> None:
    torch.manual_seed(0)
    stem = ConvolutionalStem(StemConfig(8, 8, blocks=0), 3, 4)
    image = torch.zeros(1, 3, 112, 112, requires_grad=True)
    stem(image)[0, :, 3, 3].sum().backward()
    assert image.grad is not None
    seen = image.grad.abs().sum((0, 1)) > 0.0
    rows, columns = seen.any(1).nonzero(), seen.any(0).nonzero()
    for found in (rows, columns):  # patch 3 covers the pixels 48 to 63
        assert int(found.min()) + int(found.max()) == 48 + 63


def test_an_encoder_with_a_stem_has_the_tokens_of_one_without() -> None:
    plain, stemmed = (SceneEncoder(3, 16, 16, 1, 2, 2, 100.0, stem=stem) for stem in (None, SMALL))
    image = torch.rand(1, 3, 32, 64)
    assert plain(image).tokens.shape == stemmed(image).tokens.shape
    assert torch.equal(plain(image).positions, stemmed(image).positions)
    assert [tuple(detail.shape) for detail in stemmed(image).details] == [(1, 8, 8, 16), (1, 8, 4, 8)]


def test_a_stem_joins_a_trained_encoder_without_changing_it() -> None:
    encoder = SceneEncoder(3, 16, 16, 1, 2, 2, 100.0, stem=SMALL)
    image = torch.rand(1, 3, 32, 64)
    assert encoder.stem is not None
    joined, encoder.stem = encoder.stem, None
    alone = encoder(image).tokens
    encoder.stem = joined
    torch.testing.assert_close(encoder(image).tokens, alone)
    torch.nn.init.normal_(joined.tokens.weight)
    assert not torch.allclose(encoder(image).tokens, alone, atol=1e-3)


@pytest.mark.parametrize(('kind', 'values'), [(HandConfig, {'crop_size': 64, 'used_width': 48}), (SceneConfig, {})])
def test_a_stem_with_other_patches_is_refused(kind, values) -> None:
    with pytest.raises(ValueError, match='patches of 16 pixels, got patch_size 8'):
        kind(stem=SMALL, patch_size=8, **values)
