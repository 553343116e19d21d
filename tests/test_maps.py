import numpy as np
import pytest
import torch
from torch import nn

from apmlib import adversarial, evaluation, maps, survival
from tests import tiny


class Corner(nn.Module):
    """A model that looks at the upper left quarter alone, and at its brightness."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.1))

    def forward(self, x):
        height, width = x.shape[2:]
        second = 0.5 + self.slope * x[:, :, : height // 2, : width // 2].mean(dim=(1, 2, 3))
        return torch.stack([1 - second, second], dim=1)


@pytest.fixture
def photographs():
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (3, 3, 40, 60), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.trained(tmp_path_factory.mktemp("maps"))


def corner(shape=(3, 40, 60)):
    mask = np.zeros(shape, bool)
    mask[:, : shape[1] // 2, : shape[2] // 2] = True
    return mask


@pytest.mark.parametrize("kind", [maps.gradient, maps.integrated])
def test_a_model_that_looks_at_one_place_is_found_out(kind, photographs):
    found = kind(Corner(), photographs)
    assert found.shape == (3, 40, 60) and found.min() >= 0
    assert found.max(axis=(1, 2)) == pytest.approx(np.ones(3))
    assert np.all(maps.inside(found, corner()) > 0.9)  # the blur spills a little
    assert maps.points(found, corner()) == pytest.approx(np.ones(3))


def test_gradient_is_alike_alone_and_in_a_batch(run, photographs):
    net, _ = evaluation.load(run)
    shown = torch.nn.functional.interpolate(photographs.float(), (64, 80)).round()
    together, alone = maps.gradient(net, shown), maps.gradient(net, shown[1:2])
    assert together[1] == pytest.approx(alone[0], abs=1e-3)
    assert all(weight.grad is None for weight in net.parameters())


def test_attributions_add_up_to_what_the_picture_adds(run, photographs):
    net, _ = evaluation.load(run)
    shown = torch.nn.functional.interpolate(photographs.float(), (64, 80)).round()
    plain = shown.mean(dim=(2, 3), keepdim=True).expand_as(shown)
    added = survival.means(net, shown) - survival.means(net, plain)
    found = maps.attributions(net, shown, steps=200).sum(dim=(1, 2, 3)).numpy()
    # Max pooling bends the path at many points, which no sum over steps meets exactly.
    assert found == pytest.approx(added, abs=0.1 * np.abs(added).max())
    # Of a linear model, by hand: slope times value, less that of the mean colour.
    linear = Corner()
    found = maps.attributions(linear, photographs, steps=4)
    plain = photographs.float().mean(dim=(2, 3), keepdim=True)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    by_hand = 0.1 * (photographs - plain) / (255 * std) / (3 * 20 * 30)
    by_hand[:, :, 20:] = 0
    by_hand[:, :, :, 30:] = 0
    assert found.numpy() == pytest.approx(by_hand.detach().numpy(), abs=1e-6)


def test_maps_that_know_no_model(photographs):
    assert maps.inside(maps.even(photographs), corner()) == pytest.approx(np.full(3, 0.25))
    hill = maps.hill(photographs)
    assert hill == pytest.approx(hill[:, ::-1, ::-1])
    assert np.unravel_index(hill[0].argmax(), hill[0].shape) in [(19, 29), (20, 30)]
    # One deviation is a quarter of the side, seen between neighbouring pixels of a row.
    assert hill[0, 20, 30] / hill[0, 20, 44] == pytest.approx(
        np.exp(0.5 * ((14.5 / 60 / 0.25) ** 2 - (0.5 / 60 / 0.25) ** 2))
    )


def test_contrast_is_where_brightness_differs():
    picture = torch.full((1, 3, 40, 60), 90, dtype=torch.uint8)
    assert not maps.contrast(picture).any()
    picture[:, :, 10:14, 40:44] = 255
    found = maps.contrast(picture)
    row, column = np.unravel_index(found[0].argmax(), found[0].shape)
    assert 8 <= row <= 15 and 38 <= column <= 45
    assert found[0, 35, 5] < 1e-6


def test_share_inside_and_pointing_by_hand():
    found = np.array([[[1.0, 3.0], [0.0, 0.0]], [[2.0, 2.0], [0.0, 1.0]], np.zeros((2, 2))])
    mask = np.array([[[0, 255], [0, 0]], [[0, 255], [0, 255]], [[1, 1], [1, 1]]])
    assert maps.inside(found, mask)[:2] == pytest.approx([0.75, 0.6])
    assert np.isnan(maps.inside(found, mask)[2])
    assert maps.points(found, mask) == pytest.approx([1.0, 0.5, 1.0])


def test_likeness_of_maps(photographs):
    a = np.random.default_rng(0).random((2, 8, 9))
    assert maps.alike(a, 3 * a + 1) == pytest.approx(np.ones(2))
    assert maps.alike(a, -a) == pytest.approx(-np.ones(2))
    b = np.random.default_rng(1).random((2, 8, 9))
    assert maps.alike(a, b)[1] == pytest.approx(np.corrcoef(a[1].ravel(), b[1].ravel())[0, 1])
    assert np.isnan(maps.alike(a, np.ones_like(a))).all()


def test_an_unlearnt_model_knows_the_layers_and_no_votes(run, photographs):
    net, config = evaluation.load(run)
    objects = run.parent / "objects-resnet"
    found = maps.unlearnt(config, objects)
    state, learnt = found.state_dict(), net.state_dict()
    assert state.keys() == learnt.keys() and not found.training
    given = evaluation.load(objects)[0].state_dict()
    backbone = [key for key in state if key.startswith("backbone.")]
    assert all(torch.equal(state[key], given[key]) for key in backbone)
    assert not torch.equal(state["head.fc1.weight"], learnt["head.fc1.weight"])
    # It answers about the mean distribution, and differently for different photographs.
    shown = torch.nn.functional.interpolate(photographs.float(), (64, 80)).round()
    p = adversarial.distribution(found, shown).detach().numpy()
    assert p == pytest.approx(np.tile(config["trained"]["mean_distribution"], (3, 1)), abs=0.1)
    assert p.min() > 0 and np.ptp(p, axis=0).max() > 1e-5
    again = maps.unlearnt(config, objects).state_dict()
    assert all(torch.equal(state[key], again[key]) for key in state)
    other = maps.unlearnt(config, objects, seed=1).state_dict()
    assert not torch.equal(state["head.fc2.weight"], other["head.fc2.weight"])
