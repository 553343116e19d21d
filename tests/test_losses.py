"""Losses against equation 1 by hand, against torch and against the metrics of the same name."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from apmlib import losses, metrics

PAIRS = st.integers(0, 10_000).map(
    lambda seed: torch.rand(2, 4, 10, generator=torch.Generator().manual_seed(seed))
)


def test_huber_by_hand_on_both_sides_of_delta():
    delta = 1 / 9
    p = torch.tensor([[0.0, 0.5, 0.2]])
    g = torch.tensor([[0.1, 0.0, 0.2]])
    small = 0.5 * 0.1**2
    large = delta * (0.5 - 0.5 * delta)
    assert losses.huber(p, g).item() == pytest.approx(small + large, rel=1e-6)


def test_huber_is_continuous_with_slope_delta_at_delta():
    delta = 1 / 9
    x = torch.tensor([[delta - 1e-4], [delta + 1e-4]], dtype=torch.float64, requires_grad=True)
    for scale, slope in (("paper", delta), ("caffe", 1.0)):
        x.grad = None
        (losses.huber(x, torch.zeros_like(x), scale=scale) * 2).backward()
        assert x.grad.flatten().tolist() == pytest.approx([slope, slope], rel=1e-3)


def test_bins_are_summed_and_the_batch_is_averaged():
    p, g = torch.full((4, 10), 0.1), torch.zeros(4, 10)
    assert losses.huber(p, g).item() == pytest.approx(10 * 0.5 * 0.01, rel=1e-5)
    assert losses.euclidean(p, g).item() == pytest.approx(10 * 0.5 * 0.01, rel=1e-5)
    twice = torch.cat([p, p]), torch.cat([g, g])
    assert losses.huber(*twice).item() == pytest.approx(losses.huber(p, g).item())


@settings(deadline=None, max_examples=50)
@given(PAIRS, st.floats(0.02, 2.0))
def test_caffe_is_the_paper_divided_by_delta_and_torchs_smooth_l1(pair, delta):
    p, g = pair
    caffe = losses.huber(p, g, delta, "caffe")
    torch.testing.assert_close(caffe, losses.huber(p, g, delta) / delta)
    smooth = F.smooth_l1_loss(p, g, reduction="none", beta=delta).sum(1).mean()
    torch.testing.assert_close(caffe, smooth)


def test_caffes_layer_as_its_source_defines_it():
    # src/caffe/layers/smooth_l1_loss_layer: 0.5 (sigma x)^2 if |x| < 1 / sigma^2,
    # |x| - 0.5 / sigma^2 otherwise.
    sigma = 3.0
    x = torch.linspace(-1, 1, 41)[:, None]
    layer = torch.where(
        x.abs() < 1 / sigma**2, 0.5 * (sigma * x) ** 2, x.abs() - 0.5 / sigma**2
    )
    ours = losses.huber(x, torch.zeros_like(x), 1 / sigma**2, "caffe")
    torch.testing.assert_close(ours, layer.mean())


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_huber_of_unlimited_delta_is_euclidean(pair):
    torch.testing.assert_close(losses.huber(*pair, delta=2.0), losses.euclidean(*pair))
    assert losses.huber(*pair) <= losses.euclidean(*pair)


def test_euclidean_is_half_the_square_and_takes_the_same_factor():
    p, g = torch.tensor([[0.3, 0.7]]), torch.tensor([[0.5, 0.5]])
    assert losses.euclidean(p, g).item() == pytest.approx(0.5 * 0.08, rel=1e-5)
    nine = losses.euclidean(p, g, scale="caffe") / losses.euclidean(p, g)
    assert nine.item() == pytest.approx(9.0, rel=1e-5)


def test_mean_scores_are_a_distribution_of_one_bin():
    p, g = torch.tensor([[5.0], [7.0]]), torch.tensor([[5.05], [4.0]])
    by_hand = (0.5 * 0.05**2 + (3 - 0.5 / 9) / 9) / 2
    assert losses.huber(p, g).item() == pytest.approx(by_hand, rel=1e-4)


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="scale"):
        losses.huber(torch.ones(1, 2), torch.ones(1, 2), scale="torch")


@settings(deadline=None, max_examples=50)
@given(PAIRS, st.sampled_from([1, 2]))
def test_emd_and_kl_equal_the_metrics(pair, r):
    p, g = pair
    emd = metrics.emd(p.numpy(), g.numpy(), r).mean()
    kl = metrics.kl(g.numpy(), p.numpy()).mean()
    assert losses.emd(p, g, r).item() == pytest.approx(emd, rel=1e-4)
    assert losses.kl(p, g).item() == pytest.approx(kl, rel=1e-4, abs=1e-6)


def test_emd_grows_with_the_distance_that_mass_moves():
    g = torch.eye(10)[4:5]
    costs = [losses.emd(torch.eye(10)[k : k + 1], g).item() for k in range(4, 10)]
    assert costs[0] == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(costs) > 0)


@pytest.mark.parametrize("loss", [losses.emd, losses.kl, losses.huber, losses.euclidean])
def test_gradients_are_finite_at_perfection_and_at_zero(loss):
    g = torch.eye(10)[:3]
    for start in (g.clone(), torch.zeros(3, 10)):
        p = start.requires_grad_()
        loss(p, g).backward()
        assert torch.isfinite(p.grad).all()


@pytest.mark.parametrize("loss", [losses.huber, losses.euclidean, losses.emd, losses.kl])
def test_gradients_agree_with_finite_differences(loss):
    generator = torch.Generator().manual_seed(1)
    p, g = torch.rand(2, 3, 6, dtype=torch.float64, generator=generator) + 0.05
    assert torch.autograd.gradcheck(lambda x: loss(x, g), p.requires_grad_())


def test_cross_entropy_takes_classes_and_soft_targets():
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    log_p = torch.log_softmax(logits, dim=1)[0]
    assert losses.cross_entropy(logits, torch.tensor([1])) == pytest.approx(-log_p[1].item())
    soft = torch.tensor([[0.5, 0.25, 0.25]])
    by_hand = -(soft[0] * log_p).sum().item()
    assert losses.cross_entropy(logits, soft).item() == pytest.approx(by_hand)


def test_logistic_loss_looks_at_the_side_alone():
    g = torch.tensor([[5.1], [8.0], [5.0], [2.0]])
    score = torch.tensor([[5.0], [6.0], [5.0], [6.0]])
    by_hand = [np.log(2), np.log1p(np.exp(-1)), np.log(2), np.log1p(np.exp(1))]
    assert losses.logistic(score, g).item() == pytest.approx(np.mean(by_hand), rel=1e-6)
    assert losses.logistic(score, g + 0.0) == losses.logistic(score, torch.sign(g - 5) + 5)
    assert losses.logistic(score - 1, g - 1, threshold=4.0) == losses.logistic(score, g)


def test_the_joint_loss_by_hand_and_without_what_is_shown():
    p = torch.tensor([[0.5, 0.1, 0.0, math.log(3)]])
    g = torch.tensor([[0.5, 0.4, 0.5, 0.5]])
    shown = -(0.5 * math.log(1 / 4) + 0.5 * math.log(3 / 4))
    of_scores = losses.euclidean(p[:, :2], g[:, :2]).item()
    found = losses.joint(p, g, losses.euclidean, 2, 0.1).item()
    assert found == pytest.approx(of_scores + 0.1 * shown)
    assert losses.joint(p[:, :2], g, losses.euclidean, 2, 0.1).item() == pytest.approx(
        of_scores
    )
