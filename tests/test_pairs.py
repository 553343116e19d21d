import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from apmlib import metrics, pairs
from apmlib.simulated import crowd, latents

COUNT, SIDE = 6, 48


@pytest.fixture(scope="module")
def drawn():
    return {rule: pairs.draw(rule, COUNT, SIDE) for rule in pairs.RULES}


@pytest.mark.parametrize("rule", pairs.RULES)
def test_pairs_differ_in_one_latent(drawn, rule):
    both, about = drawn[rule], pairs.RULES[rule]
    given = latents.sample(COUNT, pairs.SEED)
    differ = [name for name in given if not both.first[name].equals(both.second[name])]
    assert differ == [about.latent]
    other = given.columns.drop(about.latent)
    assert both.first[other].equals(given[other])
    if about.good is not None:
        assert (both.first[about.latent] == about.good).all()
    assert both.second[about.latent].between(about.low, about.high).all()
    shapes = [[shot.shape for shot in shots] for shots in both.photographs]
    assert shapes[0] == shapes[1] and min(shapes[0][0][:2]) == SIDE
    assert both.photographs[0][0].dtype == np.uint8
    assert set(latents.MEASURED) <= set(both.first)


def test_pairs_repeat_and_the_scene_stays(drawn):
    again = pairs.draw("focus", 3, SIDE)
    for side in (0, 1):
        for a, b in zip(
            again.photographs[side], drawn["focus"].photographs[side], strict=False
        ):
            assert np.array_equal(a, b)
    # Out of focus, a photograph keeps its colours.
    sharp, soft = (np.mean([p.mean() for p in x]) for x in drawn["focus"].photographs)
    assert sharp == pytest.approx(soft, rel=0.05)


def test_true_change_is_the_crowds(drawn):
    both = drawn["exposure"]
    change = pairs.true_change(both)
    means = [metrics.mean(crowd.distribution(t)) for t in (both.first, both.second)]
    assert change == pytest.approx(means[1] - means[0])

    def light(table):
        return 3 + 4 * table["lightness"]

    change = pairs.true_change(both, taste=light)
    brighter = both.second["lightness"] - both.first["lightness"]
    assert stats.spearmanr(change, brighter).statistic > 0.8


def test_no_taste_no_change(drawn):
    change = pairs.true_change(drawn["tilt"], taste=lambda table: np.full(len(table), 5.0))
    # Saturation, which divides the schools, is measured on the picture and hardly moves.
    assert np.abs(change).max() < 0.1


class Brightness(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, x):
        second = 0.5 + 0.1 * x.mean(dim=(1, 2, 3)) * self.one
        return torch.stack([1 - second, second], dim=1)


def test_predicted_change_is_second_less_first(drawn):
    both = drawn["exposure"]
    change = pairs.predicted_change(Brightness(), both)
    sizes = [np.array([shot.mean() for shot in shots]) for shots in both.photographs]
    assert np.array_equal(np.sign(change), np.sign(sizes[1] - sizes[0]))
    assert len({shot.shape for shot in both.photographs[0]}) > 1  # of several shapes


def test_slope_and_correlation_are_those_of_the_library():
    rng = np.random.default_rng(0)
    true = rng.normal(0.3, 1, 50)
    predicted = 0.4 * true + rng.normal(0.1, 0.2, 50)
    line = stats.linregress(true, predicted)
    assert pairs.slope(predicted, true) == pytest.approx(line.slope)
    assert pairs.correlation(predicted, true) == pytest.approx(line.rvalue)
    found = pairs.compared(predicted, true)
    assert set(found) == {"slope", "correlation"}
    assert found["slope"]["low"] < 0.4 < found["slope"]["high"]


def test_what_does_not_change_has_no_slope():
    flat, moving = np.ones(5), np.arange(5.0)
    assert pairs.compared(moving, flat) == {"slope": None, "correlation": None}
    assert pairs.compared(flat, moving)["slope"]["value"] == 0
    assert pairs.compared(flat, moving)["correlation"] is None
