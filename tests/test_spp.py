"""The pyramid against maxima by hand, torch, and what it promises about shapes and scale."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from apmlib.spp import l2_normalise, spatial_pyramid_pooling

SIZES = st.integers(1, 23)


def features(b, c, h, w, seed=0):
    return torch.randn(b, c, h, w, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=60)
@given(SIZES, SIZES, st.integers(1, 4), st.integers(0, 99))
def test_each_number_is_the_maximum_of_its_cell(h, w, n, seed):
    x = features(2, 3, h, w, seed)
    pooled = spatial_pyramid_pooling(x, n)
    assert pooled.shape == (2, 3 * n * n)
    for i in range(n):
        rows = slice(i * h // n, math.ceil((i + 1) * h / n))
        for j in range(n):
            columns = slice(j * w // n, math.ceil((j + 1) * w / n))
            by_hand = x[:, :, rows, columns].amax(dim=(2, 3))
            assert torch.equal(pooled.view(2, 3, n, n)[:, :, i, j], by_hand)


def test_nine_maxima_of_a_map_written_out():
    x = torch.arange(36.0).view(1, 1, 6, 6)
    assert spatial_pyramid_pooling(x).tolist() == [[7, 9, 11, 19, 21, 23, 31, 33, 35]]
    average = spatial_pyramid_pooling(x, how="average")
    assert average[0, 0] == (0 + 1 + 6 + 7) / 4


@pytest.mark.parametrize(
    "how, torchs", [("max", F.adaptive_max_pool2d), ("average", F.adaptive_avg_pool2d)]
)
def test_bins_are_torchs(how, torchs):
    x = features(2, 4, 11, 17)
    assert torch.equal(spatial_pyramid_pooling(x, 3, how), torchs(x, 3).reshape(2, -1))


def test_any_aspect_gives_one_length():
    lengths = {
        spatial_pyramid_pooling(features(1, 5, h, w)).shape
        for h, w in [(6, 6), (6, 40), (40, 6), (7, 13), (2, 2), (1, 1)]
    }
    assert lengths == {(1, 45)}


def test_one_cell_is_global_pooling():
    x = features(3, 4, 5, 9)
    assert torch.equal(spatial_pyramid_pooling(x, 1), x.amax(dim=(2, 3)))


def test_both_memory_formats_give_the_same():
    x = features(2, 8, 9, 12)
    other = x.to(memory_format=torch.channels_last)
    assert torch.equal(spatial_pyramid_pooling(x), spatial_pyramid_pooling(other))


def test_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="min"):
        spatial_pyramid_pooling(features(1, 1, 3, 3), how="min")


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-3, 1e3), st.integers(1, 64))
def test_l2_forgets_scale_and_has_the_stated_length(factor, size):
    x = features(1, size, 1, 1, seed=size).flatten(1)
    torch.testing.assert_close(l2_normalise(factor * x), l2_normalise(x))
    assert l2_normalise(x).norm().item() == pytest.approx(size**0.5, rel=1e-5)
    assert l2_normalise(x, rescale=False).norm().item() == pytest.approx(1, rel=1e-5)


def test_zeros_stay_zeros():
    assert torch.equal(l2_normalise(torch.zeros(2, 6)), torch.zeros(2, 6))
