import numpy as np
import pytest
import torch

from apmlib import ridge
from apmlib.model import Head


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(60, 20, generator=generator)
    y = torch.softmax(x[:, :4] * 3 + 0.3 * torch.rand(60, 4, generator=generator), dim=1)
    return x, y


def test_the_solution_satisfies_the_normal_equations(data):
    x, y = (part.double() for part in data)
    weight, bias, penalty = ridge.fit(x, y)
    centred = x - x.mean(0)
    strength = penalty * centred.square().sum()
    gradient = centred.T @ (x @ weight + bias - y) + strength * weight
    assert gradient.abs().max() < 1e-9
    assert (x @ weight + bias - y).mean(0).abs().max() < 1e-9


def test_noise_is_penalised_and_signal_is_not():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 100, generator=generator)
    noise = ridge.fit(x, torch.randn(50, 2, generator=generator))[2]
    few = x[:, :5]
    signal = ridge.fit(few, few[:, :2] * 2 + 1)[2]
    assert noise > 0.01 and signal < 1e-5


def test_copies_in_one_group_do_not_make_the_penalty_too_small(data):
    x, y = data
    y = y + 0.3 * torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    twice = (torch.cat([x, x]), torch.cat([y, y]))
    alone = ridge.fit(x, y)[2]
    assert ridge.fit(*twice)[2] < alone
    assert ridge.fit(*twice, torch.arange(60).repeat(2))[2] == alone


@pytest.mark.parametrize("rescale", [True, False])
def test_the_head_starts_as_the_regression_cut_off_at_zero(data, rescale):
    x, y = data
    torch.manual_seed(0)
    head = Head(20, 16, 4, rescale)
    ridge.start(head, x, y)
    unit = torch.nn.functional.normalize(x) * (20**0.5 if rescale else 1)
    weight, bias, _ = ridge.fit(unit, y)
    expected = (unit.double() @ weight + bias).clamp_min(0)
    assert np.allclose(head(x).detach(), expected, atol=1e-5)


def test_out_of_fold_a_row_and_its_copy_say_nothing_of_themselves(data):
    x, y = data
    x, y, groups = x.repeat(2, 1), y.repeat(2, 1), torch.arange(60).repeat(2)
    before = ridge.out_of_fold(x, y, groups)
    moved = y.clone()
    moved[[7, 67]] += 0.01  # too little to choose another penalty
    assert ridge.fit(x, moved, groups)[2] == ridge.fit(x, y, groups)[2]
    after = ridge.out_of_fold(x, moved, groups)
    unmoved = (after == before).all(dim=1)
    assert unmoved[7] and unmoved[67] and 0 < unmoved.sum() < 60


def test_out_of_fold_it_is_worse_than_on_what_it_was_fitted_to(data):
    x, y = data
    weight, bias, _ = ridge.fit(x, y)
    fitted = (x.double() @ weight + bias - y).square().mean()
    p = ridge.out_of_fold(x, y)
    assert (p >= 0).all()
    assert fitted < (p - y).square().mean() < (y - y.mean(dim=0)).square().mean()
